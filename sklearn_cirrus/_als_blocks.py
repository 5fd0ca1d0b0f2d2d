"""Blocks of users for alternating least squares: how many, and what their ratings weigh.

The number depends on the data alone, never on the workers: the sums over blocks are then the same
for any number of them. A block costs the transport of its items' normal equations, which is much
unless its items have many ratings: so blocks are few.
"""

import numpy as np

_SMALL = 1 << 20  # bytes of a block that is not worth dividing
_RATINGS = 64  # of a block for each item: then computing takes most of the time
_MOST = 64  # blocks that are made for the sake of more workers


def count_user_blocks(n_ratings, n_items, weighted, block_bytes):
    """Return into how many blocks to cut the users.

    Parameters
    ----------
    n_ratings : int
    n_items : int
        Items with ratings.
    weighted : bool
        Whether ratings have weights.
    block_bytes : int
        Size of a block, at most, about.
    """
    total = n_ratings * (12 if weighted else 8)
    count = 1
    while count < _MOST and total > _SMALL * count and n_ratings > _RATINGS * n_items * count:
        count *= 2  # so that two or four workers have equally many
    return max(count, -(-total // block_bytes))


def weigh_items(blocks, paired, sums):
    """Yield blocks; add the weights of their ratings to the sums of the items.

    Parameters
    ----------
    blocks : iterable of Block
    paired : bool
        Whether blocks have two rows for each user, the second with ratings that do not count.
    sums : float64 array of shape (n_items,)
    """
    for block in blocks:
        indices, weights = block.indices, block.entry_weights
        if paired:
            counts = np.diff(block.indptr)
            counted = np.repeat(np.arange(len(counts)) % 2 == 0, counts)
            indices = indices[counted]
            weights = None if weights is None else weights[counted]
        sums += np.bincount(indices, weights, len(sums))
        yield block
