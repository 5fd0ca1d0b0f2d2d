"""Cuts ratings into blocks of whole users, and hides some of them.

Users come in a random order, so that every block is a fair sample of them; those without ratings
are left out. What is hidden in a block follows from the seed and the number of the block alone:
so the blocks to train on and those to score on are cut independently of each other, and again by a
fit that is resumed.
"""

from types import SimpleNamespace

import numpy as np

from cirrus_runtime.blocks import Block
from cirrus_runtime.ratings import held_out_pairs, hide, known_part

from ._ingest import gather_sparse_rows, walkable


class RatingBlocks:
    """The ratings of a fit, as blocks.

    Parameters
    ----------
    X : CSR matrix of shape (n_users, n_items), float32 or float64
        Stored entries are the ratings.
    weights : float array of shape (X.nnz,) or None
    hidden : float
        Share of the ratings that is held out; 0: none.
    seed : int

    Attributes
    ----------
    n_users : int
        Those with ratings.
    seen : bool array of shape (n_items,)
        Which items have a rating to train on in the blocks that were cut so far.
    """

    def __init__(self, X, weights, hidden, seed):
        self._X = X = walkable(X)
        self._seed = seed
        self._share = hidden
        self._weights = self._mean_weight = None
        if weights is not None:
            self._mean_weight = weights.mean(dtype=np.float64)
            # Rows of it are gathered as those of X are; scipy would copy the indices.
            weights = np.ascontiguousarray(weights)
            self._weights = SimpleNamespace(data=weights, indices=X.indices, indptr=X.indptr)
        users = np.flatnonzero(np.diff(X.indptr))
        self._users = np.random.default_rng(seed).permutation(users).astype(np.int64, copy=False)
        self.n_users = len(users)
        self.seen = np.zeros(X.shape[1], bool)

    def train(self, n_blocks):
        """Yield blocks of users, with the ratings that are not hidden."""
        for number in range(n_blocks):
            block = self._cut(number, n_blocks)
            if self._share:
                block = known_part(block, self._hide(number, block))
            touched = block.indices
            if block.entry_weights is not None:
                touched = touched[block.entry_weights > 0]
            self.seen[touched] = True
            yield block

    def held_out(self, n_blocks):
        """Yield blocks of two rows for each user: known ratings, hidden ones."""
        for number in range(n_blocks):
            block = self._cut(number, n_blocks)
            yield held_out_pairs(block, self._hide(number, block))

    def _hide(self, number, block):
        """Return which ratings of a block are held out, bool of shape (n_entries,)."""
        return hide(len(block.indices), self._share, self._seed, number)

    def _cut(self, number, n_blocks):
        """Return a block with all ratings of its users."""
        users = self._users
        part = users[len(users) * number // n_blocks : len(users) * (number + 1) // n_blocks]
        indptr, indices, data = gather_sparse_rows(self._X, part)
        weights = None
        if self._weights is not None:
            weights = gather_sparse_rows(self._weights, part)[2]
            weights /= np.float32(self._mean_weight)
        return Block(
            *(indptr, indices, data),
            labels=None,
            weights=None,
            n_features=self._X.shape[1],
            entry_weights=weights,
        )
