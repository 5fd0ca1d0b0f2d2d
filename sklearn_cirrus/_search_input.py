"""What a search makes of X and y, by the kind of its estimator: splits, scorer, data."""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv

from ._classes import classes_of
from ._dataset import Dataset
from ._ratings import Ratings
from ._validation import check_weights
from .decomposition import CirrusMatrixFactorization
from .model_selection._rating_folds import RatingsKFold
from .model_selection._rating_scorer import rating_rmse_scorer

_FOLDS = 5  # as scikit-learn has them


def is_of_ratings(search):
    """Return whether a search is over a matrix factorization."""
    return isinstance(search.estimator, CirrusMatrixFactorization)


def default_scorer(search):
    """Return the scorer of a search that has none."""
    return rating_rmse_scorer if is_of_ratings(search) else get_scorer("neg_log_loss")


def labels_for(search, X, y, params):
    """Return the labels of X; refuse X and y that a search cannot take.

    Parameters
    ----------
    search : CirrusSearchCV
    X : array-like, sparse matrix, Ratings or Dataset
    y : array-like or None
        As the user gives it.
    params : dict
        Of the estimator's ``fit``, and of the splitter.
    """
    if is_of_ratings(search):
        if isinstance(X, Dataset):
            raise ValueError(
                "a search over CirrusMatrixFactorization does not take a Dataset: splits hide "
                "ratings that the client scores. Pass Ratings(X) of sklearn_cirrus.model_selection"
            )
        return y
    if isinstance(X, Dataset):
        from ._search_dataset import labels_of  # late: see CirrusLogisticRegression._train

        return labels_of(X, y, params)
    if y is None:
        raise ValueError("y must be given: only a Dataset has labels of its own")
    return y


def splitter_of(search, X, y):
    """Return what splits X and y: of ratings, those of each user are spread over the folds."""
    if not is_of_ratings(search):
        return check_cv(search.cv, y, classifier=True)
    folds = _FOLDS if search.cv is None else search.cv
    if isinstance(X, Ratings) and isinstance(folds, (int, np.integer)):
        return RatingsKFold(folds, shuffle=False)
    return check_cv(folds)


def read_data(search, X, y, splits, fit_params):
    """Validate the data; return them as SearchData or what has its interface."""
    if is_of_ratings(search):
        from ._factor_search_data import FactorSearchData

        return FactorSearchData(search, X, splits, fit_params)
    if isinstance(X, Dataset):
        from ._search_dataset import DatasetSearchData

        return DatasetSearchData(X, y, splits)
    from ._search_data import SearchData

    X, y = clone(search.estimator)._validate(X, y, reset=True)
    classes = classes_of(y)
    labels = np.searchsorted(classes, y)
    weights = check_weights(fit_params.get("sample_weight"), X)
    return SearchData(X, labels, classes, weights, splits)
