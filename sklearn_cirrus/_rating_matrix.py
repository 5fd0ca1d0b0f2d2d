"""Validation of ratings and of their weights, in any form that they may have."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._ratings import Ratings, csr_of_ratings

_CHUNK = 1 << 20  # ratings that are looked at together
_NUMBERS = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan"}


def rating_matrix(estimator, X, *, reset):
    """Validate ratings as scikit-learn does; return them as one kind of matrix.

    Parameters
    ----------
    estimator : CirrusMatrixFactorization
        Whose ``n_features_in_`` and ``feature_names_in_`` are set, or compared with X.
    X : Ratings, sparse matrix or array-like of shape (n_users, n_items)
    reset : bool
        Whether they are set.

    Returns
    -------
    CSR array of shape (n_users, n_items), float32 or float64
        As :func:`~sklearn_cirrus._ratings.csr_of_ratings` makes it.

    Raises
    ------
    ValueError
        If X is no matrix of finite ratings, or not of the right number of items.
    """
    if isinstance(X, Ratings):
        X = X.to_csr()
    X = validate_data(estimator, X, accept_sparse=["csr", "coo"], reset=reset, **_NUMBERS)
    return csr_of_ratings(X)


def rating_weights(rating_weight, X, matrix):
    """Return the weights of ratings.

    Parameters
    ----------
    rating_weight : sparse matrix or array-like of shape (n_users, n_items), or None
        Sparse: of the pattern of X. Dense: what is not rated has no say. If X is Ratings, an
        array-like of shape (n_ratings,) is good as well.
    X : Ratings, sparse matrix or array-like of shape (n_users, n_items)
        As the user gave it.
    matrix : CSR array of shape (n_users, n_items)
        As ``rating_matrix`` returned it.

    Returns
    -------
    array of shape (matrix.nnz,) and of the matrix's dtype, or None

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or they do not fit the ratings.
    """
    if rating_weight is None:
        return None
    weights = check_array(
        rating_weight,
        accept_sparse=["csr", "coo"],
        ensure_2d=False,
        ensure_min_samples=0,
        input_name="rating_weight",
        **_NUMBERS,
    )
    weights = _fitted_to(weights, X, matrix).astype(matrix.dtype)
    if not np.isfinite(weights).all():
        raise ValueError("rating_weight is NaN or infinite where X has a rating")
    if weights.min(initial=0) < 0:
        raise ValueError("rating_weight is negative where X has a rating")
    if not weights.any():
        raise ValueError("rating_weight is zero wherever X has a rating")
    return weights


def _fitted_to(weights, X, matrix):
    """Return the weight of each rating in the matrix."""
    if isinstance(X, Ratings) and weights.shape == X.shape:
        return X._weights(weights)
    if weights.shape != matrix.shape:
        raise ValueError(
            f"rating_weight has shape {weights.shape}, expected {matrix.shape}"
            + (f", or {X.shape}: one for each rating" if isinstance(X, Ratings) else ", as X")
        )
    if not sparse.issparse(weights):
        return weights[rows_of(matrix), matrix.indices]
    weights = csr_of_ratings(weights, "rating_weight")
    same = np.array_equal(weights.indptr, matrix.indptr)
    if not same or not np.array_equal(weights.indices, matrix.indices):
        raise ValueError("rating_weight must store a weight for each rating in X, and no others")
    return weights.data


def rows_of(matrix, first=0, last=None):
    """Return the rows of entries ``first`` to ``last - 1`` of a CSR matrix; by default of all."""
    entries = np.arange(first, matrix.nnz if last is None else last)
    return np.searchsorted(matrix.indptr, entries, side="right") - 1


def moments(matrix, weights):
    """Return the weighted means of ratings and of their squares, computed in float64.

    Parameters
    ----------
    matrix : CSR matrix
    weights : array of shape (matrix.nnz,) or None

    Returns
    -------
    mean, mean_square : float
    """
    sums = np.zeros(3)
    for first in range(0, matrix.nnz, _CHUNK):  # no float64 copy of all ratings
        part = slice(first, first + _CHUNK)
        values = matrix.data[part].astype(np.float64)
        share = np.ones_like(values) if weights is None else weights[part].astype(np.float64)
        sums += share.sum(), share @ values, share @ values**2
    return float(sums[1] / sums[0]), float(sums[2] / sums[0])
