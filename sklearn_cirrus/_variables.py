"""The variables in which L-BFGS works.

It needs few iterations where the curvature is about the same in every direction. So the intercept
is that of the centred columns, ``b + center @ w``, and the weights become ``u = root.T @ w``, where
``root @ root.T`` is the curvature of the objective in the weights, up to a constant: the weighted
covariance of the columns plus the penalty's share. Up to 512 columns that is a whole (Cholesky)
root; of wider data only the diagonal is used, and columns that cannot move the loss are left out:
hashed data have many that no row has.

The data stay as they are, sparse or not: only parameters and gradients are carried over.
"""

import numpy as np
from scipy import linalg, sparse

_WIDEST = 512  # columns of which the covariance is made
_PRODUCTS = 1 << 31  # multiplications that this may take; of more data, a sample of rows is used
_TRUST = 0.9  # in correlations of a sample: it may lack columns that are rare
_DUST = 1e-10  # added to correlations, so that dependent columns have a root
_ROWS = 4096


class Variables:
    """The change of variables, from and to tables of shape (n_features + intercept, width).

    Parameters
    ----------
    moments : Moments
    covariance : float64 array of shape (n_features, n_features) or None
        Of narrow data: see :func:`is_narrow`.
    strength : float
        Of the penalty, per unit of row weight.
    share : float
        Curvature of the loss by a margin: p (1 - p) at the start.
    start : float64 array of shape (n_features + intercept, width)
        Weights to begin with.

    Attributes
    ----------
    n_features : int
    """

    def __init__(self, moments, covariance, strength, share, start):
        curvature = moments.variance + strength / share
        curvature[curvature == 0] = 1.0
        self.n_features = curvature.size
        self._scale = np.sqrt(curvature)[:, None]
        self._center = moments.center
        self._shape = start.shape
        self._intercept = len(start) > self.n_features
        self._root = self._moving = None
        if covariance is not None:
            table = covariance.copy()
            table[np.diag_indices_from(table)] += strength / share
            table /= self._scale * self._scale.T
            table[np.diag_indices_from(table)] += _DUST
            self._root = linalg.cholesky(table, lower=True)
        elif self.n_features > 1:
            moving = start.any(axis=1)
            moving[: self.n_features] |= moments.variance > 0
            moving[self.n_features :] = True
            self._moving = np.flatnonzero(moving)

    def inner(self, table):
        """Return the variables that stand for a table of weights."""
        inner = table.copy()
        if self._intercept:
            inner[-1] += self._center @ table[:-1]
        inner[: self.n_features] *= self._scale
        if self._root is not None:
            inner[: self.n_features] = self._root.T @ inner[: self.n_features]
        return inner if self._moving is None else inner[self._moving]

    def outer(self, inner):
        """Return the table of weights that variables stand for."""
        if self._moving is None:
            table = inner.copy()
        else:
            table = np.zeros(self._shape)
            table[self._moving] = inner
        if self._root is not None:
            table[: self.n_features] = self._solve(inner, trans="T")
        table[: self.n_features] /= self._scale
        if self._intercept:
            table[-1] -= self._center @ table[:-1]
        return table

    def gradient(self, gradient):
        """Return the gradient by the variables, of one by the weights."""
        inner = gradient.copy()
        if self._intercept:
            inner[:-1] -= np.outer(self._center, gradient[-1])
        inner[: self.n_features] /= self._scale
        if self._root is not None:
            inner[: self.n_features] = self._solve(inner)
        return inner if self._moving is None else inner[self._moving]

    def _solve(self, table, trans="N"):
        """Divide the rows of the columns by the root."""
        return linalg.solve_triangular(
            self._root, table[: self.n_features], trans=trans, lower=True, check_finite=False
        )


def is_narrow(n_features):
    """Return whether data has so few columns, and yet some, that their covariance is made."""
    return 1 < n_features <= _WIDEST


def covariance_of(X, weights, moments):
    """Return the weighted covariance of the columns, about the centre, with these variances.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features)
    weights : float64 array of shape (n_samples,) or None
    moments : Moments

    Returns
    -------
    float64 array of shape (n_features, n_features), or None
        None if X is not narrow.
    """
    n, d = X.shape
    if not is_narrow(d):
        return None
    center, variance = moments.center, moments.variance
    step = -(-n * d * d // _PRODUCTS)  # every row, or every so many
    rows = np.arange(0, n, step)
    table, total = np.zeros((d, d)), 0.0
    for first in range(0, len(rows), _ROWS):
        taken = rows[first : first + _ROWS] if step > 1 else slice(first, first + _ROWS)
        part = X[taken].toarray() if sparse.issparse(X) else X[taken]
        part = part.astype(np.float64) - center
        weight = np.ones(len(part)) if weights is None else weights[taken]
        table += (part.T * weight) @ part
        total += weight.sum()
    if total == 0:
        return np.diag(variance)
    table *= (1.0 if step == 1 else _TRUST) / total
    # The variances are those of all rows, and zero for a constant column, rounding or not.
    if step > 1:
        table[np.diag_indices_from(table)] += (1 - _TRUST) * variance
    constant = variance == 0
    table[constant], table[:, constant] = 0.0, 0.0
    return table
