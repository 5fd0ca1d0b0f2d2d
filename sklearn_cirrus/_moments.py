"""Weighted mean and variance of the columns, in float64: what the exact solver scales by."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

_ROWS = 4096  # rows of a dense X looked at together
_ENTRIES = 1 << 22  # entries of a sparse X looked at together
_CLOSE = 1e-6  # variance of a sparse column, relative to its second moment, that is made sure of
_COLUMNS = 32  # of these looked at together
_CONSTANT = 1e-12  # deviation, relative to the mean, below which a column is constant


@dataclass(frozen=True)
class Moments:
    """Weighted mean and second moment of the columns.

    Attributes
    ----------
    center : float64 array of shape (n_features,)
        Zero without an intercept.
    variance : float64 array of shape (n_features,)
        About the centre; exactly zero for a constant column.
    """

    center: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, X, weights, centered):
        """Measure X, CSR or array of shape (n_samples, n_features).

        ``weights`` is float64 of shape (n_samples,) or None.
        """
        total = X.shape[0] if weights is None else weights.sum()
        measure = _sparse_moments if sparse.issparse(X) else _dense_moments
        return cls.with_constants(*measure(X, weights, total, centered))

    @classmethod
    def with_constants(cls, center, variance):
        """Return these moments, with the variance of constant columns set to zero, in place."""
        variance[np.sqrt(variance) <= _CONSTANT * np.abs(center)] = 0.0
        return cls(center, variance)


def _dense_moments(X, weights, total, centered):
    """Return centre and variance of the columns of an array."""
    n, d = X.shape
    center, variance = np.zeros(d), np.zeros(d)
    parts = [slice(first, first + _ROWS) for first in range(0, n, _ROWS)]
    for part in parts if centered else ():
        rows = X[part].astype(np.float64)
        center += rows.sum(axis=0) if weights is None else weights[part] @ rows
    center /= total
    for part in parts:
        squares = (X[part] - center) ** 2
        variance += squares.sum(axis=0) if weights is None else weights[part] @ squares
    return center, variance / total


def _sparse_moments(X, weights, total, centered):
    """Return centre and variance of the columns of a CSR matrix."""
    d = X.shape[1]
    first, second = np.zeros(d), np.zeros(d)
    of_rows = None if weights is None else np.repeat(weights, np.diff(X.indptr))
    for start in range(0, X.nnz, _ENTRIES):
        part = slice(start, start + _ENTRIES)
        values = X.data[part].astype(np.float64)
        weighted = values if of_rows is None else values * of_rows[part]
        first += np.bincount(X.indices[part], weighted, d)
        second += np.bincount(X.indices[part], weighted * values, d)
    if not centered:
        return np.zeros(d), second / total
    center, second = first / total, second / total
    variance = second - center**2
    # Nothing is lost in a column of many zeros; one that is nearly constant is looked at closely.
    close = np.flatnonzero(variance < _CLOSE * second)
    for start in range(0, len(close), _COLUMNS):
        columns = close[start : start + _COLUMNS]
        center[columns], variance[columns] = _dense_moments(
            X[:, columns].toarray(), weights, total, centered
        )
    return center, variance
