"""The ratings of a search, and how well they are predicted where a split holds them out."""

from sklearn.utils import _safe_indexing

from .model_selection._rating_scorer import rating_rmse_scorer


class FactorSearchData:
    """What a search over matrix factorizations knows of its ratings.

    Parameters
    ----------
    search : CirrusSearchCV
    X : Ratings, sparse matrix or array-like of shape (n_users, n_items)
    splits : list of (train, test)
        Indices of ratings; of users, if X is a matrix.
    """

    is_elsewhere = False

    def __init__(self, search, X, splits):
        self.splits = splits
        self._X = X

    def can_share(self):
        """Return whether candidates can be trained in one table."""
        return False

    def held_out_loss(self, estimator, split):
        """Return the mean squared error of an estimator on the ratings that a split holds out."""
        return rating_rmse_scorer(estimator, _safe_indexing(self._X, self.splits[split][1])) ** 2
