"""How well ratings are predicted that a model has not been shown."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .._ratings import Ratings
from ._rating_folds import even_folds

_SPLITS = 5


def rating_rmse_scorer(estimator, X, y=None):
    """Return minus the root mean squared error of ratings that the model has not been shown.

    A scorer: ``scoring=rating_rmse_scorer`` of :func:`sklearn.model_selection.cross_val_score`,
    :class:`sklearn.model_selection.GridSearchCV` and the like.

    Parameters
    ----------
    estimator : CirrusMatrixFactorization, or Pipeline or fitted search that ends with one
    X : Ratings, sparse matrix or array-like of shape (n_users, n_items)
        Ratings, as :class:`RatingsKFold` splits them, are predicted for the users of the fit: row u
        is user u. The users of a matrix are others, as
        :class:`sklearn.model_selection.KFold` splits it. A fifth of each user's ratings is hidden
        at a time, always the same, and predicted after fold-in of the others. A user's only
        rating is predicted from the item's bias.
    y : None
        Ignored.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the estimator does not predict ratings.
    ValueError
        If X has no rating, or users or items that the estimator does not know.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_cirrus import CirrusMatrixFactorization
    >>> from sklearn_cirrus.model_selection import Ratings, RatingsKFold, rating_rmse_scorer
    >>> X = np.add.outer(np.arange(12.0) % 3, np.arange(8.0) % 4)
    >>> mf = CirrusMatrixFactorization(2, alpha=0.01, backend="inline", random_state=0)
    >>> cv = RatingsKFold(4, random_state=0)
    >>> scores = cross_val_score(mf, Ratings(X), cv=cv, scoring=rating_rmse_scorer)
    >>> bool(scores.mean() > -0.5)  # a constant has 1.4
    True
    """
    estimator, X = _model_of(estimator, X)
    ratings = X if isinstance(X, Ratings) else Ratings(X)
    if len(ratings) == 0:
        raise ValueError("X has no rating to score")
    if ratings is X:
        predicted = estimator.predict_ratings(ratings.users, ratings.items)
        return _minus_rmse(predicted, ratings.values)
    predicted = np.empty(len(ratings))
    folds = even_folds(ratings.users, _SPLITS, check_random_state(0))
    for fold in range(_SPLITS):
        hidden = folds == fold
        users, items = ratings.users[hidden], ratings.items[hidden]
        predicted[hidden] = estimator.predict_ratings(users, items, ratings[~hidden])
    return _minus_rmse(predicted, ratings.values)


def _model_of(estimator, X):
    """Return the model in searches and pipelines, and X as the pipeline hands it on."""
    while hasattr(estimator, "best_estimator_") or isinstance(estimator, Pipeline):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            estimator = estimator.best_estimator_
    if not hasattr(estimator, "predict_ratings"):
        raise TypeError(f"{type(estimator).__name__} does not predict ratings")
    return estimator, X


def _minus_rmse(predicted, values):
    """Return minus the root mean squared difference, in float64."""
    errors = np.subtract(predicted, values, dtype=np.float64)
    return -float(np.sqrt(np.mean(errors**2)))
