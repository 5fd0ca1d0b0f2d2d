"""Blocks of users for alternating least squares: whole users in the user's order.

How many blocks there are depends on the data alone, never on the workers: the sums over blocks are
then the same for any number of them. A block costs the transport of its items' normal equations,
which is much unless its items have many ratings: so blocks are few.
"""

import numpy as np

from cirrus_runtime.blocks import Block

_SMALL = 1 << 20  # bytes of a block that is not worth dividing
_RATINGS = 32  # of a block for each item: then computing takes most of the time
_MOST = 64  # blocks that are made for the sake of more workers
_CHUNK = 1 << 20


def block_bounds(X, n_items, weighted, block_bytes):
    """Return where to cut the users into blocks of nearly equal numbers of ratings.

    Parameters
    ----------
    X : CSR matrix of shape (n_users, n_features)
    n_items : int
        Columns with ratings.
    weighted : bool
        Whether ratings have weights.
    block_bytes : int
        Size of a block, at most, about.

    Returns
    -------
    list of int
        The first user of each block, and the number of users.
    """
    total = X.nnz * (12 if weighted else 8) + 4 * X.shape[0]
    wanted = 1
    while wanted < _MOST and total > _SMALL * wanted and X.nnz > _RATINGS * n_items * wanted:
        wanted *= 2  # so that two or four workers have equally many
    wanted = max(wanted, -(-total // block_bytes))
    ends = X.indptr[1:].astype(np.int64) + np.arange(1, X.shape[0] + 1)  # empty rows count too
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, wanted) // wanted) + 1
    return np.unique([0, *np.minimum(cuts, X.shape[0]), X.shape[0]]).tolist()


def hold_out(n_ratings, fraction, seed):
    """Return which ratings are held out: a bool array of shape (n_ratings,)."""
    rng = np.random.default_rng(seed)
    held = np.empty(n_ratings, bool)
    for first in range(0, n_ratings, _CHUNK):
        part = held[first : first + _CHUNK]
        part[:] = rng.random(part.size) < fraction
    return held


def make_user_blocks(X, weights, held, bounds):
    """Yield the users in blocks.

    Parameters
    ----------
    X : CSR matrix of shape (n_users, n_items), float32 or float64
    weights : float array of shape (n_ratings,) or None
    held : bool array of shape (n_ratings,) or None
        Which ratings are held out. If given, blocks have two rows for each user: the ratings to
        learn from, and these.
    bounds : list of int
        As of :func:`block_bounds`.

    Yields
    ------
    Block
    """
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        starts = X.indptr[first : last + 1].astype(np.int64)
        part = slice(starts[0], starts[-1])
        starts -= starts[0]
        order = slice(None)
        if held is not None:
            users = np.repeat(np.arange(last - first), np.diff(starts))
            rows = 2 * users + held[part]
            order = np.argsort(rows, kind="stable")
            counts = np.bincount(rows, minlength=2 * (last - first))
            starts = np.append(0, np.cumsum(counts))
        yield Block(
            indptr=starts.astype(np.uint32),
            indices=X.indices[part].astype(np.uint32)[order],
            data=X.data[part].astype(np.float32)[order],
            labels=None,
            weights=None,
            n_features=X.shape[1],
            entry_weights=None if weights is None else weights[part].astype(np.float32)[order],
        )
