"""Blocks: the row groups that the store holds and the workers train on.

A block is a file in safetensors format (see ``tensors.py``); the header's metadata carries the
format version and the number of columns.

To change the format: raise ``VERSION``, so that older readers refuse with a clear
error. A new optional array needs no new version only if an old reader may drop it,
and an old reader may not: it refuses names that it does not know.
"""

import math
from dataclasses import dataclass

import numpy as np

from .errors import BlockError
from .tensors import decode_tensors, dtype_code, dtype_name, encode_tensors

VERSION = 3
_FORMAT = "cirrus.block"
_ARRAYS = {  # name -> dtypes in the header that it may have; in the order of the file
    "indptr": ("U32",),
    "indices": ("U32",),
    "data": ("F32", "F64"),
    "labels": ("F32",),
    "weights": ("F32", "F64"),
    "entry_weights": ("F32",),
    "folds": ("U8",),
}
# Our headers take 500 bytes. The bound keeps a damaged length from costing memory.
_LONGEST_HEADER = 4096


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """A group of rows in CSR form. Parts left None are implicit and take no space.

    Attributes
    ----------
    indptr : uint32 array of shape (n_rows + 1,)
        Row i has the entries ``indptr[i]:indptr[i + 1]``.
    indices : uint32 array of shape (n_entries,)
        Column of each entry, below ``n_features``.
    data : float32 or float64 array of shape (n_entries,) or None
        Value of each entry; None: every value is 1.
    labels : float32 array of shape (n_rows,) or None
        Class index of each row (0, 1, ...); float32 because the kernels compute with it.
    weights : float32 or float64 array of shape (n_rows,) or None
        Weight of each row; None: every weight is 1.
    n_features : int
        Number of columns of the whole data, from 1 to 2**32 - 1.
    entry_weights : float32 array of shape (n_entries,) or None
        Weight of each entry, where entries are ratings; None: every weight is 1.
    folds : uint8 array of shape (n_rows * 2 * n_splits,) or None
        For each row, how often every split of a search trains on it, then how often every split
        tests on it. Where entries are ratings, of shape (n_entries * n_splits,): see
        ``factor_search.py``.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray | None
    labels: np.ndarray | None
    weights: np.ndarray | None
    n_features: int
    entry_weights: np.ndarray | None = None
    folds: np.ndarray | None = None

    @property
    def n_rows(self):
        """Number of rows."""
        return self.indptr.shape[0] - 1

    @property
    def nbytes(self):
        """Bytes of all arrays together."""
        return sum(array.nbytes for array in self._arrays().values())

    def _arrays(self):
        """The arrays that are there, by name, in the order of the file."""
        named = ((name, getattr(self, name)) for name in _ARRAYS)
        return {name: array for name, array in named if array is not None}


def encode_block(block):
    """Encode a block.

    Parameters
    ----------
    block : Block

    Returns
    -------
    list of buffers
        The file in pieces: the header, then views of the block's own arrays (nothing
        is copied unless an array is not contiguous). ``Store.put`` takes it as it is;
        ``b"".join`` makes one of it.

    Raises
    ------
    BlockError
        If a shape, a dtype, indptr or a column is wrong.
    """
    _check(block, "the block to encode")
    metadata = {
        "format": _FORMAT,
        "version": str(VERSION),
        "n_features": str(block.n_features),
    }
    return encode_tensors(metadata, block._arrays())


def decode_block(buffer, name):
    """Decode and check a block without copying it.

    Parameters
    ----------
    buffer : buffer
        The file: bytes, a memory map, ...
    name : str
        What errors call the block.

    Returns
    -------
    Block
        Its arrays are views of the buffer, which they keep alive.

    Raises
    ------
    BlockError
        If the buffer is not a whole and valid block of this version. A changed number
        in ``data`` or ``weights`` is not noticed; one that would make a kernel reach
        for foreign memory (a column, a row's end, a label that is no index) is.
    """
    metadata, found = decode_tensors(buffer, name, _ARRAYS.get, _LONGEST_HEADER)
    n_features = _read_metadata(metadata, name)
    arrays = dict.fromkeys(_ARRAYS) | found
    for key in ("indptr", "indices"):
        if arrays[key] is None:
            raise BlockError(f"{name}: the array {key} is missing")
    block = Block(n_features=n_features, **arrays)
    _check(block, name)
    return block


def _read_metadata(metadata, name):
    """The number of columns, after a look at format and version."""
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise BlockError(f"{name}: not a block: its metadata does not say {_FORMAT}")
    version = metadata.get("version")
    if version != str(VERSION):
        raise BlockError(
            f"{name}: format version {str(version)[:20]!r}, this program reads {VERSION!r}"
        )
    n_features = metadata.get("n_features")
    if not (isinstance(n_features, str) and n_features.isdecimal() and len(n_features) <= 10):
        raise BlockError(f"{name}: n_features is {str(n_features)[:20]!r}")
    return int(n_features)


def _check(block, name):
    """Raise BlockError unless all parts of the block fit each other."""
    if not 1 <= block.n_features < 2**32:
        raise BlockError(f"{name}: n_features is {block.n_features}")
    for key, array in block._arrays().items():
        if dtype_code(array) not in _ARRAYS[key] or array.ndim != 1:
            allowed = " or ".join(dtype_name(code) for code in _ARRAYS[key])
            raise BlockError(
                f"{name}: {key} has shape {array.shape} and dtype {array.dtype}, "
                f"not (n,) and {allowed}"
            )
    indptr, n_entries = block.indptr, block.indices.shape[0]
    if indptr.shape[0] < 1 or indptr[0] != 0 or indptr[-1] != n_entries:
        raise BlockError(f"{name}: indptr does not run from 0 to the {n_entries} entries")
    if not (indptr[1:] >= indptr[:-1]).all():
        raise BlockError(f"{name}: indptr decreases")
    if n_entries and block.indices.max() >= block.n_features:
        raise BlockError(
            f"{name}: column {block.indices.max()} in data of {block.n_features} columns"
        )
    lengths = {"data": n_entries, "labels": block.n_rows, "weights": block.n_rows}
    for key, expected in (lengths | {"entry_weights": n_entries}).items():
        array = getattr(block, key)
        if array is not None and array.shape[0] != expected:
            raise BlockError(f"{name}: {key} has {array.shape[0]} values, not {expected}")
    if block.folds is not None:
        units = 2 * max(1, block.n_rows), n_entries or block.folds.shape[0] + 1
        if all(block.folds.shape[0] % unit for unit in units):
            raise BlockError(f"{name}: folds has {block.folds.shape[0]} values, not whole rows")
    if block.labels is not None and not are_class_indices(block.labels):
        raise BlockError(f"{name}: a label is not a class index")


def are_class_indices(labels):
    """Return whether all labels are 0, 1, 2, ...; the kernels index with them."""
    if not labels.shape[0]:
        return True
    largest = float(labels.max())  # NaN if any label is
    return bool(math.isfinite(largest) and labels.min() >= 0 and (labels == np.trunc(labels)).all())
