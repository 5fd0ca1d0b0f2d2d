"""The ratings of a block as a search goes through them: in the order of a pass, and of pairs."""

import numpy as np

from .minibatch import Pass, address

TRAIN, HELD_OUT = 1, 2  # what a split does with a rating; 0: nothing


class InOrder:
    """The entries of a block in the order of a pass.

    Attributes
    ----------
    places : array of shape (n_entries,)
        Where each is in the block.
    bounds : int64 array of shape (n_rows + 1,)
        Where each row of the pass begins.
    """

    def __init__(self, block, order):
        begins = block.indptr[order].astype(np.int64)
        counts = block.indptr[order + 1].astype(np.int64) - begins
        self.bounds = np.append(0, np.cumsum(counts))
        self.places = np.repeat(begins - self.bounds[:-1], counts) + np.arange(self.bounds[-1])
        self._ratings = block.data[self.places]
        weights = block.entry_weights
        self._weights = None if weights is None else weights[self.places]

    def pairs(self, roles):
        """Return what one split does with them."""
        return Pairs(self.bounds, roles, self._ratings, self._weights)


class Pairs:
    """The ratings of a split: for each user those it trains on, then those it holds out.

    Parameters
    ----------
    bounds : array of shape (n_rows + 1,)
        Where each user's ratings begin, in the order of the pass.
    roles : uint8 array of shape (n_entries,)
        Of each: TRAIN, HELD_OUT or 0.
    ratings : float32 array of shape (n_entries,)
    weights : float32 array of shape (n_entries,) or None
    """

    def __init__(self, bounds, roles, ratings, weights):
        n_rows = len(bounds) - 1
        sums = [np.append(0, np.cumsum(roles == role)) for role in (TRAIN, HELD_OUT)]
        counts = np.column_stack([np.diff(of_role[bounds]) for of_role in sums])
        self._indptr = np.append(0, np.cumsum(counts.ravel())).astype(np.uint32)
        self._chosen = np.empty(self._indptr[-1], np.int64)
        for i, role in enumerate((TRAIN, HELD_OUT)):
            begins = self._indptr[:-1][i::2].astype(np.int64)
            places = np.repeat(begins - sums[i][bounds[:-1]], counts[:, i])
            self._chosen[places + np.arange(len(places))] = np.flatnonzero(roles == role)
        self._ratings = ratings[self._chosen]
        self.weights = None if weights is None else weights[self._chosen]
        self._order = np.arange(2 * n_rows, dtype=np.uint32)
        trained = roles == TRAIN
        self.weight = float(
            trained.sum() if weights is None else weights[trained].sum(dtype=np.float64)
        )
        self._pass = Pass(
            indptr=address(self._indptr), data=address(self._ratings), order=address(self._order)
        )

    def minibatch(self, first, last, local, begin):
        """Return the pass of the rows first to last - 1, whose entries have these numbers."""
        part = slice(self._indptr[2 * first], self._indptr[2 * last])
        self._local = np.take(local, self._chosen[part] - begin)
        self._pass.local = address(self._local)
        return self._pass
