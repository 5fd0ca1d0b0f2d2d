"""Blocks for the exact solver: the user's values as they are, in the user's order.

Nothing is rounded: values are stored as float32 only where that loses nothing. How many blocks
there are depends on the data alone, never on the workers: the sums over blocks are then the same
for any number of them.
"""

import numpy as np
from scipy import sparse

from cirrus_runtime.blocks import Block

from ._ingest import Blocks, row_bytes

_SMALL = 1 << 20  # bytes of a block that is not worth dividing
_BLOCKS = 16  # of data that is larger: enough to keep several workers busy to the end


def count_exact_blocks(X, n_rows, block_bytes):
    """Return into how many blocks to cut the rows."""
    total = row_bytes(X) * n_rows
    size = min(block_bytes, max(_SMALL, total / _BLOCKS))
    return int(min(n_rows, -(-total // size)))


class ExactBlocks(Blocks):
    """The rows of X in blocks; each is cut when it is asked for.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features), float32 or float64
    labels : float32 array of shape (n_samples,)
        Class indices.
    weights : float64 array of shape (n_samples,) or None
    n_blocks : int
    """

    def __init__(self, X, labels, weights, n_blocks):
        super().__init__(X, labels, weights, None, n_blocks)

    def cut(self, number):
        """Return the block of a number."""
        X, labels, weights, *_ = self._given
        n = X.shape[0]
        part = slice(n * number // self._n_blocks, n * (number + 1) // self._n_blocks)
        gather = _sparse_part if sparse.issparse(X) else _dense_part
        indptr, indices, values = gather(X, part)
        return Block(
            indptr=indptr,
            indices=indices,
            data=_narrowed(values),
            labels=np.ascontiguousarray(labels[part]),
            weights=None if weights is None else np.ascontiguousarray(weights[part]),
            n_features=X.shape[1],
        )


def _sparse_part(X, part):
    """Return indptr, indices and values of some rows of a CSR matrix."""
    taken = X[part]
    return taken.indptr.astype(np.uint32), taken.indices.astype(np.uint32), taken.data


def _dense_part(X, part):
    """Return indptr, indices and values of some rows of an array: every entry is kept."""
    taken = X[part]
    n, d = taken.shape
    indptr = np.arange(0, n * d + 1, d, dtype=np.uint32)
    return indptr, np.tile(np.arange(d, dtype=np.uint32), n), taken.reshape(-1)


def _narrowed(values):
    """Return values in the narrowest form that holds them exactly: none for ones."""
    if np.all(values == 1):
        return None
    if values.dtype == np.float32:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values) else np.ascontiguousarray(values)
