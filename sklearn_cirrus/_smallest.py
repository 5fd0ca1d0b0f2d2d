"""Without a penalty, the smallest of all optima.

Where columns depend on each other linearly, many weights give the same model. From zero, plain
L-BFGS approaches the one whose weights and intercept are smallest in norm, and so does
scikit-learn's. A change of variables leads to another one; this takes it to the smallest.
"""

import numpy as np
from scipy import linalg, sparse

from ._moments import Moments

WIDEST = 2048  # columns beyond which the table of their products is not made
_ROWS = 4096
_DEPENDENT = 1e-9  # eigenvalue of the correlations below which columns depend on each other


def smallest(table, X, intercept):
    """Return the smallest weights that give every row of X the margins that these give.

    Parameters
    ----------
    table : float64 array of shape (n_features + intercept, width)
    X : CSR matrix or array of shape (n_samples, n_features)
        Wider than 2048 columns: the table is returned as it is.
    intercept : bool

    Returns
    -------
    float64 array of the table's shape
    """
    d = X.shape[1]
    if d > WIDEST:
        return table
    moments = Moments.of(X, None, intercept)
    scale = np.sqrt(moments.variance)
    scale[scale == 0] = 1.0
    products = _products(X, moments.center, scale)
    return smallest_of_products(table, products, moments.center, scale, intercept)


def smallest_of_products(table, products, center, scale, intercept):
    """Return what :func:`smallest` does, of columns whose products are known.

    Parameters
    ----------
    table : float64 array of shape (n_features + intercept, width)
    products : float64 array of shape (n_features, n_features)
        Second moments of the columns less ``center``, divided by ``scale``.
    center, scale : float64 array of shape (n_features,)
    intercept : bool

    Returns
    -------
    float64 array of the table's shape
    """
    values, vectors = linalg.eigh(products)
    null = vectors[:, values < _DEPENDENT] / scale[:, None]
    if null.shape[1] == 0:
        return table
    if intercept:
        null = np.vstack([null, -center @ null])
    basis = linalg.qr(null, mode="economic")[0]
    return table - basis @ (basis.T @ table)


def _products(X, center, scale):
    """Return the second moments of the columns, centred and scaled: their correlations."""
    n, d = X.shape
    total = np.zeros((d, d))
    for first in range(0, n, _ROWS):
        rows = X[first : first + _ROWS]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        rows = (rows.astype(np.float64) - center) / scale
        total += rows.T @ rows
    return total / n
