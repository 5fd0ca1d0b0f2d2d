"""Users solved and normal equations of items, block by block, through the compiled kernels."""

from ctypes import POINTER, Structure, byref, c_double, c_float, c_uint32, c_void_p
from dataclasses import dataclass

import numpy as np

from .errors import BlockError
from .kernels import declare
from .logistic import LogisticKernel
from .minibatch import address

_LANES = 4  # of ridge.h
_SLICE = 1 << 30  # multiplications of one call of a kernel: some tenths of a second


class _AlsBlock(Structure):
    """``cirrus_als_block`` of normal_equations.h, field by field."""

    _fields_ = [
        ("indptr", c_void_p),
        ("local", c_void_p),
        ("ratings", c_void_p),
        ("weights", c_void_p),
        ("starts", c_void_p),
        ("users", c_void_p),
        ("item_ratings", c_void_p),
        ("item_weights", c_void_p),
        ("item_table", c_void_p),
        ("item_bias", c_void_p),
        ("user_table", c_void_p),
        ("user_bias", c_void_p),
        ("scratch", c_void_p),
        ("n_users", c_uint32),
        ("n_items", c_uint32),
        ("unknowns", c_uint32),
        ("padded", c_uint32),
        ("held_out", c_uint32),
        ("mean", c_float),
        ("alpha", c_float),
    ]


class _Sums(Structure):
    """``cirrus_als_sums`` of normal_equations.h, field by field."""

    _fields_ = [
        ("loss", c_double),
        ("weight", c_double),
        ("penalty", c_double),
        ("held_loss", c_double),
        ("held_weight", c_double),
    ]


_index = declare("cirrus_als_index", None, POINTER(_AlsBlock))
_users = declare("cirrus_als_users", None, POINTER(_AlsBlock), c_uint32, c_uint32, POINTER(_Sums))
_items = declare("cirrus_als_items", None, POINTER(_AlsBlock), c_uint32, c_uint32, c_void_p)


def equations_width(unknowns):
    """Return the number of values of an item's normal equations: upper triangle and right side."""
    return unknowns * (unknowns + 1) // 2 + unknowns


def padded_length(unknowns):
    """Return the length of a row of the kernels' tables."""
    return -(-unknowns // _LANES) * _LANES


@dataclass(frozen=True, eq=False)
class RatingsBlock:
    """A block whose items have been numbered, and its ratings laid out by item as well.

    Attributes
    ----------
    ids : uint32 array of shape (n_ids,)
        Items that it needs.
    n_users, n_ratings : int
        ``n_ratings`` are those to learn from.
    nbytes : int
    """

    ids: np.ndarray
    n_users: int
    n_ratings: int
    nbytes: int
    _struct: _AlsBlock
    _user_slices: list
    _item_slices: list
    _kept: tuple  # arrays whose addresses the structure holds


class AlsKernel:
    """Users solved and normal equations of items, of blocks of one shape. Not for two threads.

    Parameters
    ----------
    n_items : int
    unknowns : int
        Length of a vector, with its bias if there is one.
    alpha : float
        Penalty of a vector for each unit of weight of its ratings.
    mean : float
        Subtracted from all ratings.
    biased : bool
        Whether the last entry of a vector is a bias.
    held_out : bool
        Whether blocks have two rows for each user: ratings to learn from, ratings held out.
    """

    def __init__(self, n_items, unknowns, alpha, mean, biased, held_out):
        self._numbering = LogisticKernel(n_items, 1, False)
        self._n_items = n_items
        self._unknowns = unknowns
        self._padded = padded_length(unknowns)
        self._alpha, self._mean = alpha, mean
        self._biased, self._held_out = bool(biased), bool(held_out)
        self._scratch = np.empty(self._padded * (self._padded + 1), np.float32)

    def accept(self, block, name):
        """Number the items of a block; refuse one that is not for this model.

        Returns
        -------
        RatingsBlock

        Raises
        ------
        BlockError
        """
        if block.n_features != self._n_items:
            raise BlockError(f"{name} has {block.n_features} columns, the model {self._n_items}")
        if block.data is None or block.data.dtype != np.float32:
            raise BlockError(f"{name} has no ratings of dtype float32")
        if self._held_out and block.n_rows % 2:
            raise BlockError(f"{name} has {block.n_rows} rows, not two for each user")
        ids, local = self._numbering.number(block)
        n_users = block.n_rows >> self._held_out
        counts = np.diff(block.indptr)[:: 1 + self._held_out]
        n_ratings = int(counts.sum(dtype=np.int64))
        starts, users = np.empty(ids.size + 1, np.uint32), np.empty(n_ratings, np.uint32)
        ratings = np.empty(n_ratings, np.float32)
        weights = None if block.entry_weights is None else np.empty(n_ratings, np.float32)
        struct = _AlsBlock(
            indptr=address(block.indptr),
            local=address(local),
            ratings=address(block.data),
            weights=address(block.entry_weights),
            starts=address(starts),
            users=address(users),
            item_ratings=address(ratings),
            item_weights=address(weights),
            scratch=address(self._scratch),
            n_users=n_users,
            n_items=ids.size,
            unknowns=self._unknowns,
            padded=self._padded,
            held_out=self._held_out,
            mean=self._mean,
            alpha=self._alpha,
        )
        _index(byref(struct))
        arrays = [ids, local, starts, users, ratings, *([] if weights is None else [weights])]
        return RatingsBlock(
            *(ids, n_users, n_ratings),
            nbytes=block.nbytes + sum(array.nbytes for array in arrays),
            _struct=struct,
            _user_slices=self._slices(np.append(0, np.cumsum(counts, dtype=np.int64))),
            _item_slices=self._slices(starts),
            _kept=(block, *arrays),
        )

    def solve_users(self, block, table, renew=lambda: None):
        """Solve the users of a block, and keep them for :meth:`equations`.

        Parameters
        ----------
        block : RatingsBlock
        table : array of shape (n_ids, unknowns)
            The items that ``block.ids`` names.
        renew : callable
            Called now and then.

        Returns
        -------
        _Sums
            With ``loss``, ``weight``, ``penalty``, ``held_loss`` and ``held_weight``.
        """
        struct, padded = block._struct, self._padded
        items = np.zeros((block.ids.size, padded), np.float32)
        items[:, : self._unknowns] = table
        users = np.empty((block.n_users, padded), np.float32)
        biases = None, None
        if self._biased:
            biases = items[:, self._unknowns - 1].copy(), np.empty(block.n_users, np.float32)
            items[:, self._unknowns - 1] = 1.0
        self._kept = items, users, biases
        struct.item_table, struct.user_table = address(items), address(users)
        struct.item_bias, struct.user_bias = map(address, biases)
        sums = _Sums()
        for first, last in block._user_slices:
            _users(byref(struct), first, last, byref(sums))
            renew()
        return sums

    def equations(self, block, out, renew=lambda: None):
        """Sum the normal equations of the items of the block whose users were solved last.

        Parameters
        ----------
        block : RatingsBlock
        out : float32 array of shape (n_ids, equations_width(unknowns)), C-contiguous
        renew : callable
            Called now and then.
        """
        for first, last in block._item_slices:
            _items(byref(block._struct), first, last, out[first:].ctypes.data)
            renew()

    def _slices(self, starts):
        """Return where to cut vectors whose ratings begin at ``starts``, for calls of a kernel."""
        size = self._padded
        costs = starts * float(size * size) + np.arange(len(starts)) * (size**3 / 3.0)
        steps = np.arange(_SLICE, costs[-1], _SLICE)
        edges = np.unique(np.concatenate([[0], np.searchsorted(costs, steps), [len(starts) - 1]]))
        edges = edges.tolist()
        return list(zip(edges[:-1], edges[1:], strict=True))
