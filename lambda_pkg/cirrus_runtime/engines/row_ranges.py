"""How a model's rows lie on several servers, and how a message is cut up accordingly."""

import ctypes
from ctypes import c_int, c_size_t, c_uint32, c_void_p
from dataclasses import replace

import numpy as np

from ..kernels import declare
from .base import refusal

_split = declare(
    "cirrus_split", c_int, c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p
)
_are_unique = declare("cirrus_are_unique", c_int, c_void_p, c_size_t)
_take_rows = declare("cirrus_take_rows", c_int, c_void_p, c_void_p, c_size_t, c_size_t, c_void_p)
_put_rows = declare("cirrus_put_rows", None, c_void_p, c_void_p, c_size_t, c_size_t, c_void_p)


class RowRanges:
    """Consecutive ranges of rows, equal but for one row; the last holds the last row.

    Parameters
    ----------
    rows, width : int
        Of the model.
    shards : int
        Servers there are. A model has no more shards than rows.
    """

    def __init__(self, rows, width, shards):
        self.width = width
        self.shards = min(shards, rows)
        self.bounds = [rows * shard // self.shards for shard in range(self.shards + 1)]
        self._array = np.array(self.bounds, np.uint32)
        self._address = self._array.ctypes.data
        self._starts = ctypes.c_uint64 * (self.shards + 1)

    def specs(self, spec):
        """Return the ModelSpec of every shard of a model."""
        return [
            replace(
                spec, rows=end - first, penalized=min(max(spec.penalized - first, 0), end - first)
            )
            for first, end in self.pairs()
        ]

    def pairs(self):
        """Return (first row, end) of every shard."""
        return list(zip(self.bounds[:-1], self.bounds[1:], strict=True))

    def split(self, ids):
        """Cut ids up.

        Parameters
        ----------
        ids : ndarray of shape (n,), uint32

        Returns
        -------
        SplitIds

        Raises
        ------
        ServerError
            BADID: an id is not of the table.
        """
        return SplitIds(self, ids)


class SplitIds:
    """The ids of one message, shard by shard.

    Attributes
    ----------
    parts : list of ndarray, uint32
        For every shard its ids, counted from its first row; most often not in the given order.
    """

    def __init__(self, ranges, ids):
        n = ids.size
        self._ids = ids
        self._ids_address = ids.ctypes.data
        self._width = ranges.width
        # Order and local ids in one piece: asking numpy for an address is not free.
        self._order_and_local = np.empty(2 * n, np.uint32)
        self._order = self._order_and_local.ctypes.data
        starts = ranges._starts()
        good = _split(
            *(ranges._address, ranges.shards, self._ids_address, n),
            *(self._order, self._order + 4 * n, starts),
        )
        if not good:
            raise refusal("BADID an id is not below the number of rows")
        self._starts = starts[:]
        self.parts = self._cut(self._order_and_local[n:], 1)

    def cut_gradients(self, grads):
        """Return the gradients of every shard, in the order of its ids.

        A shard applies a push whatever becomes of it on the others, so what one of them alone
        would see is refused here.

        Parameters
        ----------
        grads : ndarray of shape (n * width,), float32

        Returns
        -------
        list of ndarray, float32

        Raises
        ------
        ServerError
            BADLENGTH, BADID (an id stands twice) or BADVALUE (a gradient is not finite).
        """
        ids, width = self._ids, self._width
        if grads.size != ids.size * width:
            raise refusal(f"BADLENGTH {ids.size} ids do not go with {grads.size} gradients")
        unique = _are_unique(self._ids_address, ids.size)
        if unique <= 0:
            word = "OOM not enough memory" if unique else "BADID an id stands twice in one push"
            raise refusal(word)
        out = np.empty(grads.size, np.float32)
        if not _take_rows(grads.ctypes.data, self._order, ids.size, width, out.ctypes.data):
            raise refusal("BADVALUE a value is NaN or infinite")
        return self._cut(out, width)

    def join(self, parts):
        """Return the rows of the given ids, from those that every shard has returned.

        Parameters
        ----------
        parts : list of ndarray, float32

        Returns
        -------
        ndarray of shape (n * width,), float32
        """
        out = np.empty(self._ids.size * self._width, np.float32)
        start, address = self._order, out.ctypes.data
        for part in parts:
            n = part.size // self._width
            _put_rows(part.ctypes.data, start, n, self._width, address)
            start += 4 * n
        return out

    def _cut(self, values, width):
        """Cut up what lies in the order of the shards."""
        at = self._starts
        return [values[at[i] * width : at[i + 1] * width] for i in range(len(at) - 1)]
