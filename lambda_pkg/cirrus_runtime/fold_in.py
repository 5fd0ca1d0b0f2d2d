"""The factors of users whose ratings are given, where those of the items are known."""

from ctypes import c_double, c_int, c_size_t, c_uint32, c_void_p

import numpy as np

from .kernels import declare

_fold_in = declare(
    "cirrus_fold_in",
    *(None, c_void_p, c_void_p, c_int, c_void_p, c_void_p, c_int, c_size_t, c_void_p, c_void_p),
    *(c_uint32, c_double, c_void_p, c_void_p),
)
_width = declare("cirrus_fold_in_width", c_uint32, c_uint32)


def fold_in(X, weights, components, item_bias, mean, alpha, biased):
    """Solve the ridge regression of every user, in float64.

    Parameters
    ----------
    X : object with the arrays of a CSR matrix of shape (n_users, n_items)
        ``indptr`` and ``indices`` of int32 or int64, both the same; ``data``, the ratings, of
        float32 or float64.
    weights : array of shape (X.nnz,) and of X's dtype, or None
        Of the ratings; None: all are one.
    components : array of shape (n_components, n_items)
    item_bias : array of shape (n_items,)
    mean : float
    alpha : float
        Positive. The penalty of a user is ``alpha`` times the sum of the weights of its ratings.
    biased : bool
        Whether a user has a bias.

    Returns
    -------
    float64 array of shape (n_users, n_components + biased)
        The user's bias is the last column. Zeros for users without a rating that has a weight.
    """
    n_components, n_items = components.shape
    d = n_components + biased
    width = _width(d)
    table = np.zeros((n_items, width))
    table[:, :n_components] = components.T
    table[:, n_components:d] = 1.0
    offsets = item_bias.astype(np.float64) + mean
    scratch = np.empty((width + 1) * width)
    n_users = len(X.indptr) - 1
    users = np.empty((n_users, d))
    _fold_in(
        *(X.indptr.ctypes.data, X.indices.ctypes.data, X.indices.itemsize == 8),
        *(X.data.ctypes.data, None if weights is None else weights.ctypes.data),
        *(X.data.itemsize == 8, n_users, table.ctypes.data, offsets.ctypes.data, d),
        *(float(alpha), scratch.ctypes.data, users.ctypes.data),
    )
    return users
