"""Cuts the user's rows into blocks: in random order, narrowed to float32, one block at a time.

The order is random over the whole data, so that every block is a fair sample of it, however the
user's rows are sorted. No more than one block is in memory besides X itself.
"""

from ctypes import c_int, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.kernels import declare
from cirrus_runtime.keys import RunKeys

from ._content import content_of

_gather_csr = declare(
    "cirrus_gather_csr",
    *(None, c_void_p, c_void_p, c_int, c_void_p, c_int, c_void_p, c_size_t, c_void_p),
    *(c_void_p, c_void_p),
)
_gather_dense = declare(
    "cirrus_gather_dense",
    *(None, c_void_p, c_int, c_int64, c_int64, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    *(c_void_p, c_void_p),
)
_ENTRIES = 1 << 20  # looked at together
_SMALL = 1 << 20  # bytes of data that one worker may as well train alone


@dataclass(frozen=True)
class Part:
    """A part of the data.

    Attributes
    ----------
    blocks : iterable of Block
        Read once, one after the other.
    n_blocks : int
    n_rows : int
    keys : RunKeys or None
        Of the names of the blocks in the store; None: those of the run that puts them.
    """

    blocks: object
    n_blocks: int
    n_rows: int
    keys: RunKeys | None = None

    def put(self, store, keys, kind):
        """Put the blocks into a store; yield the number of each that is there."""
        for number, block in enumerate(self.blocks):
            store.put(keys.block(kind, number), encode_block(block))
            yield number


def row_bytes(X):
    """Return the bytes that a row of X takes in a block, on average."""
    entries = X.nnz / max(1, X.shape[0]) if sparse.issparse(X) else X.shape[1]
    return 8.0 * entries + 12.0


def count_blocks(X, n_rows, n_workers, block_bytes):
    """Return into how many blocks to cut rows of X.

    Small data is one block, and so trained by one worker alone, step by step: on it a second
    worker would gain little, and one worker gives the same model every time.
    """
    total = row_bytes(X) * n_rows
    if total <= _SMALL or n_workers == 1:
        size = block_bytes
    else:  # four blocks for a worker, so that none waits long for the last
        size = min(block_bytes, max(_SMALL, total / (4 * n_workers)))
    return int(min(n_rows, -(-total // size)))


class Blocks:
    """Blocks of some rows of X; each is cut when it is asked for.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features), float32 or float64
    labels : float32 array of shape (n_samples,)
        Class indices.
    weights : float32 array of shape (n_samples,) or None
    rows : int64 array of shape (n,)
        Rows to take, in this order.
    n_blocks : int
        Number of blocks, of nearly equal numbers of rows.
    center : float64 array of shape (n_features,), optional
        Subtracted from the rows, if X is dense.
    """

    def __init__(self, X, labels, weights, rows, n_blocks, center=None):
        self._given = X, labels, weights, rows, center
        self._n_blocks = n_blocks

    def __iter__(self):
        return map(self.cut, range(self._n_blocks))

    def content(self):
        """Return what tells these blocks from others, in this process."""
        return content_of(*self._given, np.array(self._n_blocks))

    @cached_property
    def _X(self):
        return walkable(self._given[0])

    @cached_property
    def _implicit(self):
        return sparse.issparse(self._X) and has_ones_only(self._X)

    def rows(self, number):
        """Return the rows of a block."""
        rows, n = self._given[3], self._n_blocks
        return rows[len(rows) * number // n : len(rows) * (number + 1) // n]

    def cut(self, number):
        """Return the block of a number."""
        _, labels, weights, _, center = self._given
        part = self.rows(number)
        gather = gather_sparse_rows if sparse.issparse(self._X) else _gather_dense_rows
        indptr, indices, data = gather(self._X, part, center, self._implicit)
        return Block(
            indptr=indptr,
            indices=indices,
            data=data,
            labels=labels[part],
            weights=None if weights is None else weights[part],
            n_features=self._X.shape[1],
        )


def make_blocks(*given):
    """Return an iterator over the :class:`Blocks` of the same parameters."""
    return iter(Blocks(*given))


def walkable(X):
    """Return X, or if it lies on views that no kernel could walk a copy of it."""
    if not sparse.issparse(X):
        return np.require(X, requirements="A")  # a field of records may be between two numbers
    parts = X.data, X.indices, X.indptr
    if X.indices.dtype == X.indptr.dtype and all(part.flags.c_contiguous for part in parts):
        return X
    return sparse.csr_array(tuple(map(np.ascontiguousarray, parts)), shape=X.shape)


def has_ones_only(X):
    """Return whether every stored value of a sparse matrix is 1, as in one-hot data."""
    return all((X.data[first : first + _ENTRIES] == 1).all() for first in range(0, X.nnz, _ENTRIES))


def gather_sparse_rows(X, rows, center=None, implicit=False):
    """Return some rows of a CSR matrix as the arrays of a block; the last None if implicit."""
    entries = int((X.indptr[rows + 1] - X.indptr[rows]).sum())
    indptr, indices, data = _empty(len(rows), entries)
    _gather_csr(
        *(X.indptr.ctypes.data, X.indices.ctypes.data, X.indices.itemsize == 8),
        *(None if implicit else X.data.ctypes.data, X.data.itemsize == 8),
        *(rows.ctypes.data, len(rows)),
        *(indptr.ctypes.data, indices.ctypes.data, data.ctypes.data),
    )
    return indptr, indices, None if implicit else data


def _gather_dense_rows(X, rows, center, implicit):
    """Return some rows of a dense array, centred, as the arrays of a block."""
    d = X.shape[1]
    center = np.zeros(d) if center is None else center
    indptr, indices, data = _empty(len(rows), len(rows) * d)
    size = X.itemsize
    _gather_dense(
        *(X.ctypes.data, size == 8, X.strides[0] // size, X.strides[1] // size),
        *(center.ctypes.data, d, rows.ctypes.data, len(rows)),
        *(indptr.ctypes.data, indices.ctypes.data, data.ctypes.data),
    )
    return indptr, indices, data


def _empty(n_rows, entries):
    """Return the arrays of a block that is to be filled."""
    return np.empty(n_rows + 1, np.uint32), np.empty(entries, np.uint32), np.empty(entries, "f4")
