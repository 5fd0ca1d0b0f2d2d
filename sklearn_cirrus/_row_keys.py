"""Tells which rows of arrays are rows of others: a key of 128 bits for each, of what is in it.

Rows that differ have the same key with a probability of about 2^-64. Rows that are the same as an
earlier one of their array have keys of their own: the second of them is the second one everywhere.
"""

import secrets
from ctypes import c_size_t, c_void_p

import numpy as np
from scipy import sparse

from cirrus_runtime.kernels import declare

from ._ingest import walkable

_condense_rows = declare(
    "cirrus_condense_rows", None, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p
)
_key = np.frombuffer(secrets.token_bytes(4 * 8 + 1024), np.uint64)  # as in ingest.h
_ROWS = 4096
_ODD = np.uint64(0x9E3779B97F4A7C15)


def keys_of_rows(X, *columns):
    """Return keys that mean something in this process alone, uint64 of shape (n_samples, 2).

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features)
    *columns : array of shape (n_samples,) or None
        What else is in a row.
    """
    keys = np.zeros((X.shape[0], 2), np.uint64)
    if sparse.issparse(X):
        X = walkable(X)
        indptr = X.indptr.astype(np.int64)
        _add(keys, X.indices, indptr)
        _add(keys, X.data, indptr)
    else:
        for first in range(0, X.shape[0], _ROWS):  # never a copy of all of X
            part = np.ascontiguousarray(X[first : first + _ROWS])
            _add(keys[first : first + _ROWS], part, _even(part))
    for column in columns:
        if column is not None:
            column = np.ascontiguousarray(column)
            _add(keys, column, _even(column))
    _tell_apart(keys)
    return keys


def _even(rows):
    """Return where the rows of an array begin, in elements."""
    return np.arange(len(rows) + 1, dtype=np.int64) * (rows.size // max(1, len(rows)))


def _add(keys, values, starts):
    """Add the values from ``starts[i]`` to ``starts[i + 1]`` to the key of row i."""
    starts = starts * values.itemsize
    _condense_rows(
        *(values.ctypes.data, starts.ctypes.data, len(keys)), _key.ctypes.data, keys.ctypes.data
    )


def _tell_apart(keys):
    """Give rows that are the same keys of their own."""
    order = np.argsort(keys[:, 1])
    ordered = keys[order]
    is_first = np.ones(len(keys), bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    if is_first.all():
        return
    places = np.arange(len(keys))
    earlier = places - np.maximum.accumulate(np.where(is_first, places, 0))
    keys[order, 1] = ordered[:, 1] + earlier.astype(np.uint64) * _ODD


class RowIndex:
    """Finds rows that are known by their keys; numbers them from 0 on as they are added."""

    def __init__(self):
        self._keys = np.empty((0, 2), np.uint64)  # in the order of their second words
        self._numbers = np.empty(0, np.int64)

    def __len__(self):
        return len(self._keys)

    def add(self, keys):
        """Add rows."""
        numbers = np.arange(len(self), len(self) + len(keys))
        keys = np.concatenate([self._keys, keys])
        order = np.argsort(keys[:, 1])
        self._keys = keys[order]
        self._numbers = np.concatenate([self._numbers, numbers])[order]

    def find(self, keys):
        """Return the number of each row, int64; -1 for rows that are not known."""
        if not len(self):
            return np.full(len(keys), -1)
        order = np.argsort(keys[:, 1])  # the search is quicker for it
        keys = keys[order]
        places = np.searchsorted(self._keys[:, 1], keys[:, 1])
        places[places == len(self)] = 0
        # Where two rows have the same second word, one of them is not found: it is put once more.
        is_known = (self._keys[places] == keys).all(axis=1)
        numbers = np.empty(len(keys), np.int64)
        numbers[order] = np.where(is_known, self._numbers[places], -1)
        return numbers
