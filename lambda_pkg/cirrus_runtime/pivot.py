"""A table of ratings becomes rows of users: what workers do for it, in three maps.

1. ``extent``: how many users and items there are, and how the users are spread.
2. ``deal``: each block's ratings go to the parts that their users belong to, a piece for each part.
3. ``gather``: the pieces of a part become one block of rows, user after user.

A table that has something else than ratings is told of as a result ``{"bad": ...}``: what is wrong
are the user's data.
"""

from dataclasses import dataclass

import numpy as np

from .blocks import Block
from .dataset_objects import PART, block_name, put_block
from .store import keep_store
from .tables import Text
from .tensors import decode_tensors, encode_tensors
from .views import read_view

MOST_IDS = 1 << 31  # users or items
_EXACT = {"f4": 1 << 24, "f8": 1 << 53}  # whole numbers below are all different
_QUANTILES = 64
_LONGEST_HEADER = 4096
_CODES = {"users": ("U32",), "items": ("U32",), "ratings": ("F32", "F64")}


class BadRatings(Exception):
    """The table has something else than ratings."""


class _OnTables:
    """An operation on the blocks of a table.

    The job's options have ``view``, and ``columns``: the places of users, items and ratings; None
    for the last if the labels are the ratings, whose ``values`` are then given.
    """

    def __init__(self, job):
        self._options = job.options

    def read(self, store, name):
        return read_view(self._options["view"], name)

    def apply(self, lease, block):
        try:
            return block.n_rows, self._apply(lease, block)
        except BadRatings as error:
            return block.n_rows, {"bad": str(error)}


class Extent(_OnTables):
    """Of a block: rows, largest user and item, and users at equal shares of the rows."""

    def _apply(self, lease, block):
        users, items = (ids_of(block, place) for place in self._options["columns"][:2])
        if not len(users):
            return [0, -1, -1, []]
        ordered = np.sort(users)
        places = np.linspace(0, len(users) - 1, _QUANTILES).astype(np.int64)
        return [len(users), int(ordered[-1]), int(items.max()), ordered[places].tolist()]


class Deal(_OnTables):
    """Writes a piece for each part; the result says which parts have one.

    Part p has the users from ``bounds[p]`` to ``bounds[p + 1] - 1``; ``url`` is where pieces go.
    """

    def _apply(self, lease, block):
        users, items, ratings = self._ratings(block)
        parts = np.searchsorted(self._options["bounds"], users, side="right") - 1
        order = np.argsort(parts, kind="stable")
        starts = np.searchsorted(parts[order], np.arange(len(self._options["bounds"])))
        store, dealt = keep_store(self._options["url"]), []
        for part in np.flatnonzero(np.diff(starts)).tolist():
            taken = order[starts[part] : starts[part + 1]]
            arrays = {"users": users[taken], "items": items[taken], "ratings": ratings[taken]}
            store.put(piece_name(lease.block, part), encode_tensors({}, arrays))
            dealt.append(part)
        return dealt

    def _ratings(self, block):
        """Return users, items and ratings of a block."""
        user, item, rating = self._options["columns"]
        if rating is None:
            ratings = np.array(self._options["values"])[block.labels.astype(np.int64)]
            ratings = ratings.astype(self._options["dtype"])
        else:
            ratings = _numbers_of(block, rating)
            bad = ~np.isfinite(ratings)
            if bad.any():
                raise BadRatings(
                    f"column {block.names[rating]!r} has a rating that is {_said(ratings[bad][0])}"
                )
        users, items = (ids_of(block, place).astype(np.uint32) for place in (user, item))
        return users, items, ratings


class Gather:
    """Makes a part a block of a dataset of rows. A lease names the part by its number.

    The options have ``pieces``, for each part the numbers of the blocks that it has pieces of, and
    ``bounds``, ``url`` and ``n_items``.
    """

    def __init__(self, job):
        self._options = job.options

    def read(self, store, name):
        store, part = keep_store(self._options["url"]), int(name)
        found = []
        for number in self._options["pieces"][part]:
            piece = piece_name(number, part)
            arrays = decode_tensors(store.get(piece), piece, _CODES.get, _LONGEST_HEADER)[1]
            found.append([arrays[key] for key in _CODES])
        if not found:
            return _Pieces(*(np.empty(0, code) for code in ("u4", "u4", "f4")))
        return _Pieces(*map(np.concatenate, zip(*found, strict=True)))

    def apply(self, lease, pieces):
        first, last = self._options["bounds"][lease.block : lease.block + 2]
        order = np.lexsort((pieces.items, pieces.users))
        users, items = pieces.users[order], pieces.items[order]
        same = (np.diff(users) == 0) & (np.diff(items) == 0)
        if same.any():
            place = int(np.flatnonzero(same)[0])
            return len(users), {"twice": [int(users[place]), int(items[place])]}
        block = Block(
            indptr=np.searchsorted(users, np.arange(first, last + 1)).astype(np.uint32),
            indices=items,
            data=pieces.ratings[order],
            labels=None,
            weights=None,
            n_features=self._options["n_items"],
        )
        store = keep_store(self._options["url"])
        return len(users), put_block(store, block_name(lease.block), block, None)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The ratings of a part."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return self.users.nbytes + self.items.nbytes + self.ratings.nbytes


def piece_name(number, part):
    """Return the name of the ratings of a block that belong to a part."""
    return f"{PART}{number:06d}-{part:06d}.safetensors"


def ids_of(block, place):
    """Return a column of numbers of users or items, int64.

    Raises
    ------
    BadRatings
        If one is missing, no whole number, negative or too large to be told from others.
    """
    name, values = block.names[place], _numbers_of(block, place)
    limit = min(MOST_IDS, _EXACT[values.dtype.str[1:]])
    bad = ~((values >= 0) & (values < limit) & (values == np.trunc(values)))
    if bad.any():
        more = ""
        if limit < MOST_IDS:
            more = (
                ", which is as far as float32 tells them apart: load the table with dtype='float64'"
            )
        raise BadRatings(
            f"column {name!r} has {_said(values[bad][0])}: users and items are whole numbers "
            f"from 0 to {limit - 1}{more}"
        )
    return values.astype(np.int64)


def _numbers_of(block, place):
    """Return a column of numbers."""
    values = block.columns[place]
    if isinstance(values, Text):
        raise BadRatings(f"column {block.names[place]!r} holds text, and must hold numbers")
    return values


def _said(value):
    """Return a number as a message has it."""
    return "missing (NaN)" if np.isnan(value) else f"{value:.12g}"
