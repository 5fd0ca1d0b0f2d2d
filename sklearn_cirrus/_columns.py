"""What is learnt about the columns of the data before training: centres, scales, curvature.

Stochastic gradients are only as good as the scaling of the data. Nobody should have to scale by
hand, so every coordinate gets a step size in the units of its column: the parameter server keeps
one scale for each row of the model (the weights stay those of the unscaled columns, and so does
the penalty: the optimum is not moved). Dense data is also centred, which takes the coupling
between intercept and weights away; with an intercept that is a change of variables, undone at the
end. Sparse data is not centred: it would no longer be sparse.
"""

from ctypes import c_int, c_size_t, c_void_p
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from cirrus_runtime.kernels import declare

from ._ingest import has_ones_only

_column_peaks = declare(
    "cirrus_column_peaks", None, c_void_p, c_int, c_void_p, c_int, c_size_t, c_void_p
)
_ROWS = 4096  # rows looked at together
_SAMPLE = 2048  # rows that the curvature is estimated from
_RANGE = 1e-12, 1e12  # scales outside would lose the weights' precision
_LARGEST = 1e30  # float32 reaches 3e38, and values are multiplied


@dataclass(frozen=True)
class Columns:
    """Properties of the columns.

    Attributes
    ----------
    center : float64 array of shape (n_features,) or None
        Subtracted from dense rows; None for sparse data.
    scale : float32 array of shape (n_features,) or None
        None: all ones.
    """

    center: np.ndarray | None
    scale: np.ndarray | None

    @classmethod
    def of(cls, X, centered):
        """Measure the columns of X.

        Parameters
        ----------
        X : CSR matrix or array of shape (n_samples, n_features), float32 or float64
        centered : bool
            Whether dense data may be centred, that is, whether there is an intercept.

        Raises
        ------
        ValueError
            If a value is too large for float32 arithmetic.
        """
        if sparse.issparse(X) and has_ones_only(X):
            return cls(None, None)
        if sparse.issparse(X):
            center, scale = None, _peaks(X)
        else:
            center, scale = _center_and_scale(X, centered)
        largest = scale.max(initial=0.0)
        if not largest < _LARGEST:
            raise ValueError(f"X has values beyond {_LARGEST:g}, which float32 cannot compute with")
        scale[scale == 0] = 1  # a column without values has no say
        np.clip(scale, *_RANGE, out=scale)
        return cls(center, None if np.all(scale == 1) else scale)

    def curvature(self, X, random_state):
        """Estimate the curvature of the logistic loss, from a sample of rows.

        Parameters
        ----------
        X : CSR matrix or array of shape (n_samples, n_features)
        random_state : int

        Returns
        -------
        top : float
            Largest eigenvalue of the second moment of the rows, centred and scaled, with a
            constant column for the intercept.
        mean : float
            Mean squared length of these rows (its trace).
        """
        n = X.shape[0]
        rng = np.random.default_rng(random_state)
        rows = np.sort(rng.choice(n, min(n, _SAMPLE), replace=False))
        if sparse.issparse(X):
            sample = X[rows]
            # Only the columns that occur: the eigenvector need not be as long as the data is wide.
            used, indices = np.unique(sample.indices, return_inverse=True)
            scale = 1.0 if self.scale is None else self.scale[sample.indices].astype(np.float64)
            values = sample.data.astype(np.float64) / scale
            sample = sparse.csr_array((values, indices, sample.indptr), (len(rows), len(used)))
            lengths = np.zeros(len(rows))
            np.add.at(lengths, np.repeat(np.arange(len(rows)), np.diff(sample.indptr)), values**2)
        else:
            scale = 1.0 if self.scale is None else self.scale
            sample = (X[rows].astype(np.float64) - self.center) / scale
            lengths = np.einsum("ij,ij->i", sample, sample)
        return _top_eigenvalue(sample), float(lengths.mean()) + 1.0


def _peaks(X):
    """Return the largest absolute value of each column of a CSR matrix."""
    peaks = np.zeros(X.shape[1], np.float32)
    indices, data = np.ascontiguousarray(X.indices), np.ascontiguousarray(X.data)
    _column_peaks(
        *(indices.ctypes.data, indices.itemsize == 8, data.ctypes.data, data.itemsize == 8),
        *(data.size, peaks.ctypes.data),
    )
    return peaks


def _center_and_scale(X, centered):
    """Return the means of the columns of a dense X and the scales about them.

    The scale is the geometric mean of the standard deviation and the largest deviation: by the
    former alone, one value far out would throw the weights about; by the latter alone, columns
    with such values would hardly learn.
    """
    n, d = X.shape
    center = X.mean(axis=0, dtype=np.float64) if centered else np.zeros(d)
    squares, peak = np.zeros(d), np.zeros(d)
    for first in range(0, n, _ROWS):  # never a copy of all of X
        part = X[first : first + _ROWS] - center
        np.maximum(peak, np.abs(part).max(axis=0), out=peak)
        squares += np.einsum("ij,ij->j", part, part)
    deviation = np.sqrt(squares / n)
    # Rounding leaves a constant column a deviation of its last bit; it is constant all the same.
    constant = peak <= 1e-7 * np.abs(center)
    return center, np.where(constant, 0.0, np.sqrt(deviation * peak)).astype(np.float32)


def _top_eigenvalue(rows, iterations=12):
    """Return the largest eigenvalue of [rows, 1]^T [rows, 1] / n, by power iteration."""
    n = rows.shape[0]
    weights, constant, size = np.ones(rows.shape[1]), 1.0, 1.0
    for _ in range(iterations):
        length = np.sqrt(weights @ weights + constant**2)
        products = (rows @ weights + constant) / length
        weights, constant = rows.T @ products / n, products.mean()
        size = np.sqrt(weights @ weights + constant**2)
    return float(size)
