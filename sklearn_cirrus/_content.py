"""Tells whether arrays hold the same as others, at about the speed of memory.

A universal hash (NH, with a key that this process has drawn) condenses 1024 bytes to 16, and
BLAKE2b does the rest. So the result means nothing outside of this process, or in a file.
"""

import hashlib
import secrets
from ctypes import c_size_t, c_void_p

import numpy as np
from scipy import sparse

from cirrus_runtime.kernels import declare

_condense = declare("cirrus_condense", None, c_void_p, c_size_t, c_void_p, c_void_p)
_CHUNK = 1024  # bytes, as in ingest.h
_TOGETHER = 1 << 24  # bytes
_ROWS = 4096
_key = np.frombuffer(secrets.token_bytes(_CHUNK), np.uint64)


def content_of(*values):
    """Return a text that other values have only if they are the same.

    Parameters
    ----------
    *values : array, CSR matrix or None
        The dtypes, the shapes and the order in memory count too.
    """
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        if value is None:
            digest.update(b"none;")
        elif sparse.issparse(value):
            digest.update(f"{value.format}{value.shape};".encode())
            for array in (value.data, value.indices, value.indptr):
                _add(digest, array)
        else:
            _add(digest, np.asarray(value))
    return digest.hexdigest()


def _add(digest, array):
    """Add an array to a digest."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        digest.update(b"transposed;")
        array = array.T
    digest.update(f"{array.dtype.str}{array.shape};".encode())
    if array.flags.c_contiguous:
        _add_bytes(digest, array)
        return
    digest.update(b"strided;")
    for first in range(0, len(array), _ROWS):
        _add_bytes(digest, np.ascontiguousarray(array[first : first + _ROWS]))


def _add_bytes(digest, array):
    """Add what lies in memory of a contiguous array to a digest."""
    start, n = array.ctypes.data, array.nbytes
    for first in range(0, n, _TOGETHER):
        size = min(_TOGETHER, n - first)
        condensed = np.empty((-(-size // _CHUNK), 2), np.uint64)
        _condense(start + first, size, _key.ctypes.data, condensed.ctypes.data)
        digest.update(condensed.data)
