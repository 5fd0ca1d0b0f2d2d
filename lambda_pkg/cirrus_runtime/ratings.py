"""Blocks of users' ratings: what is hidden of them, and how rows of a dataset become such blocks.

A row of a block is a user, its entries are the user's ratings. Held-out blocks have two rows for
each user: known ratings, hidden ones. What is hidden in a block follows from the seed and the
number of the block alone: so blocks to train on and blocks to score are made independently.
"""

import base64
import zlib
from dataclasses import replace

import numpy as np

from .blocks import Block
from .errors import BlockError


def hide(n, share, seed, number):
    """Return which of the n ratings of a block are held out, bool of shape (n,)."""
    chosen = np.random.default_rng((seed, number)).permutation(n)
    hidden = np.zeros(n, bool)
    hidden[chosen[: max(1, round(share * n))]] = True
    return hidden


def known_part(block, hidden):
    """Return a block of the ratings that are not hidden; every row has one rating at least."""
    kept = ~hidden
    counts = np.add.reduceat(kept, block.indptr[:-1], dtype=np.uint32)
    return _with_entries(block, kept, counts)


def held_out_pairs(block, hidden):
    """Return a block of two rows for each user: known ratings, hidden ones."""
    counts = np.diff(block.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    scored = np.add.reduceat(hidden, block.indptr[:-1], dtype=np.uint32)
    pairs = np.column_stack([counts - scored, scored]).ravel()
    return _with_entries(block, np.argsort(2 * rows + hidden, kind="stable"), pairs)


def _with_entries(block, chosen, counts):
    """Return a block of some entries of another (mask or places), so many for each row."""
    weights = block.entry_weights
    return Block(
        indptr=np.append(0, np.cumsum(counts)).astype(np.uint32),
        indices=block.indices[chosen],
        data=block.data[chosen],
        labels=None,
        weights=None,
        n_features=block.n_features,
        entry_weights=None if weights is None else weights[chosen],
    )


def pack_counts(counts):
    """Return numbers of ratings as a text, which is short where most are zero."""
    return base64.b64encode(zlib.compress(counts.astype("<u4").tobytes(), 1)).decode()


def unpack_counts(text):
    """Return the int64 array that :func:`pack_counts` made a text of."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u4").astype(np.int64)


def ratings_of_rows(block, step, name):
    """Rows whose entries are ratings, to train on: ``numbers`` of blocks, ``share``, ``seed``.

    ``part`` says what of them: ``"all"``, or with a ``share`` that is hidden ``"known"`` or
    ``"held_out"``. Users without ratings are left out, and items that are not among ``items``: a
    base64 text of a bit for each.
    """
    block = checked_ratings(block, name)
    used = np.unpackbits(
        np.frombuffer(base64.b64decode(step["items"]), np.uint8), count=block.n_features
    )
    places = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    block = replace(block, indices=places[block.indices], n_features=int(used.sum()))
    lengths = np.diff(block.indptr)
    indptr = np.append(0, np.cumsum(lengths[lengths > 0])).astype(np.uint32)
    data = block.data.astype(np.float32, copy=False)
    block = replace(block, indptr=indptr, data=data, labels=None, weights=None)
    if step["part"] == "all" or not data.size:
        return block
    hidden = hide(data.size, step["share"], step["seed"], step["numbers"][name])
    return (known_part if step["part"] == "known" else held_out_pairs)(block, hidden)


def checked_ratings(block, name):
    """Return a block with its ratings in the order of the items; refuse what are no ratings.

    Raises
    ------
    BlockError
        If it is no block of rows, a rating is not finite, or a user rated an item twice.
    """
    if not isinstance(block, Block):
        raise BlockError(
            f"{name} is a table: ratings are rows of users, or a table of three columns"
        )
    if block.data is None:
        block = replace(block, data=np.ones(len(block.indices), np.float32))
    if not np.isfinite(block.data).all():
        raise BlockError(f"{name} has ratings that are missing or not finite")
    rows = np.repeat(np.arange(block.n_rows), np.diff(block.indptr))
    cells = rows * block.n_features + block.indices
    if (np.diff(cells) < 0).any():
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        block = replace(block, indices=block.indices[order], data=block.data[order])
    if (np.diff(cells) == 0).any():
        twice = int(cells[np.flatnonzero(np.diff(cells) == 0)[0]] % block.n_features)
        raise BlockError(f"{name} has more than one value for the same user and item {twice}")
    return block
