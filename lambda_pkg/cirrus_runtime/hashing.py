"""Tables into sparse rows by hashing, as scikit-learn's FeatureHasher does with dicts.

Of a column c, a text t becomes the feature "c=t" of value 1 and a number x the feature "c" of value
x; the MurmurHash3 of a feature says its column and, if asked for, its sign [1]_.

.. [1] Weinberger et al. 2009, "Feature hashing for large scale multitask learning", ICML.
"""

from ctypes import Structure, c_int, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np

from .blocks import Block
from .errors import BlockError
from .kernels import declare
from .tables import Text

NUMBERS = ("value", "buckets")  # what may become of numbers; a place is its number


class _HashedColumn(Structure):
    """``cirrus_hashed_column`` of hashing.h."""

    _fields_ = [
        ("name", c_void_p),
        ("numbers", c_void_p),
        ("ends", c_void_p),
        ("bytes", c_void_p),
        ("name_length", c_uint32),
        ("mode", c_uint32),
    ]


_hash_rows = declare(
    *("cirrus_hash_rows", c_int64),
    *(c_void_p, c_uint32, c_void_p, c_size_t, c_uint32, c_int, c_void_p, c_void_p, c_void_p),
)


def hash_table(table, n_features, signed, numbers="value", dtype=np.float32, rows=None):
    """Hash the columns of a table.

    Parameters
    ----------
    table : TableBlock
    n_features : int
        Columns of the result.
    signed : bool
        Whether half of the features count negatively, so that what meets in a column cancels out
        on average.
    numbers : {"value", "buckets"}
        ``"buckets"``: a number x becomes the text of floor(log(1 + x)^2), or -1 below zero.
    dtype : {float32, float64}
    rows : int array, optional
        Numbers of the rows to hash, in the order wanted; by default all. It is quicker than to
        take them out of the table first.

    Returns
    -------
    Block
        Columns sorted in each row; its data None if every value is one.
    """
    labels, weights = table.labels, table.weights
    if rows is None:
        n = table.n_rows
    else:
        n = len(rows)
        if n and not 0 <= rows.min() <= rows.max() < table.n_rows:
            raise BlockError(f"a table of {table.n_rows} rows does not have all that are asked for")
        labels, weights = (None if a is None else a[rows] for a in (labels, weights))
        rows = np.ascontiguousarray(rows, np.uint32)
    structs = (_HashedColumn * max(1, len(table.columns)))()
    kept = []  # arrays whose addresses the structures hold
    for struct, name, column in zip(structs, table.names, table.columns, strict=False):
        encoded = np.frombuffer(name.encode() or b"\0", np.uint8)
        struct.name, struct.name_length = encoded.ctypes.data, len(name.encode())
        struct.mode = NUMBERS.index(numbers)
        if isinstance(column, Text):
            parts = column.ends, column.bytes
            struct.ends, struct.bytes = (part.ctypes.data for part in parts)
        else:
            parts = (np.ascontiguousarray(column, np.float64),)
            struct.numbers = parts[0].ctypes.data
        kept.append((encoded, *parts))
    room = n * len(table.columns)
    if room >= 2**32:
        raise BlockError(f"a block of {room} entries is too large: cut smaller blocks")
    indptr, indices = np.empty(n + 1, np.uint32), np.empty(room, np.uint32)
    data = np.empty(room, np.float64)
    found = _hash_rows(
        *(structs, len(table.columns), None if rows is None else rows.ctypes.data, n),
        *(n_features, bool(signed)),
        *(indptr.ctypes.data, indices.ctypes.data, data.ctypes.data),
    )
    if found < 0:
        raise MemoryError("no memory to hash a block")
    data = data[:found]
    return Block(
        indptr=indptr,
        indices=indices[:found],
        data=None if (data == 1).all() else data.astype(dtype, copy=False),
        labels=labels,
        weights=weights,
        n_features=n_features,
    )
