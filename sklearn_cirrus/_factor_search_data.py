"""The ratings of a search: as blocks that say of each rating what the splits do with it."""

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from cirrus_runtime.factor_pairs import HELD_OUT, TRAIN

from ._factor_search_group import FactorGroup
from ._ingest import Part, count_blocks
from ._rating_blocks import RatingBlocks
from ._rating_matrix import rating_matrix, rating_weights
from ._ratings import Ratings
from ._search_data import FEW
from .model_selection._rating_scorer import rating_rmse_scorer


class FactorSearchData:
    """What a search over matrix factorizations knows of its ratings; see ``SearchData``.

    Attributes
    ----------
    X : CSR array of shape (n_users, n_items)
        Of all ratings. This, and what follows, only if candidates can share a table.
    weights : array of shape (n_ratings,) or None
        In the order of X, one on average.
    roles : uint8 array of shape (n_ratings, n_splits)
        What every split does with each, in the order of X: TRAIN, HELD_OUT or 0.
    n_rows : int
        Number of ratings.

    Parameters
    ----------
    search : CirrusSearchCV
    X : Ratings, sparse matrix or array-like of shape (n_users, n_items)
    splits : list of (train, test)
        Indices of ratings; of users, if X is a matrix.
    fit_params : dict
        Of the estimators' ``fit``.
    """

    kind = FactorGroup
    weights_name = "rating_weight"
    summed = (None, rating_rmse_scorer)
    nbytes = None

    def __init__(self, search, X, splits, fit_params):
        self.splits = splits
        self.ratings = X
        self.rating_weight = fit_params.get("rating_weight")
        self._can_share = isinstance(X, Ratings) and self._take(clone(search.estimator))

    def _take(self, estimator):
        """Take ratings, weights and splits; return whether blocks can hold them."""
        X, weights = self.ratings, self.rating_weight
        try:
            self.X = rating_matrix(estimator, X, reset=True)
            self.weights = rating_weights(weights, X, self.X)
        except ValueError:
            return False  # fits say what is wrong
        if weights is not None and np.shape(weights) != X.shape:
            return False
        self.n_rows = self.X.nnz
        roles = np.zeros((self.n_rows, len(self.splits)), np.uint8)
        for split, (train, test) in enumerate(self.splits):
            roles[train, split], roles[test, split] = TRAIN, HELD_OUT
            trained, tested = (np.count_nonzero(roles[:, split] == r) for r in (TRAIN, HELD_OUT))
            if not tested or (trained, tested) != (len(train), len(test)):
                return False
        order = X._with(X.users, X.items, np.arange(len(X))).to_csr().data
        self.roles = np.ascontiguousarray(roles[order])
        if self.weights is not None:
            # As to a fit, a rating of weight zero is as if it were not there to train on.
            self.roles[(self.roles == TRAIN) & (self.weights <= 0)[:, None]] = 0
            self.weights = self.weights / self.weights.mean(dtype=np.float64)
        return bool((self.roles == TRAIN).any(axis=0).all())

    def can_share(self):
        """Return whether blocks can say of the ratings what the splits do with them."""
        return self._can_share

    def is_summed(self, ended, fits):
        """Return whether workers are to sum up the losses of fits, of which some have ended."""
        return ended > FEW * fits

    def score_of(self, loss):
        """Return the score of a fit of which workers have found the mean held-out loss."""
        return -(loss**0.5)

    def held_out_loss(self, estimator, split):
        """Return the mean squared error of an estimator on the ratings that a split holds out."""
        test = _safe_indexing(self.ratings, self.splits[split][1])
        return rating_rmse_scorer(estimator, test) ** 2

    def check(self, config):
        """Refuse settings by which workers could not reach the ratings: none."""

    def part(self, seed, n_workers, block_bytes, columns):
        """Return the ratings as blocks of users in random order, with what the splits do."""
        blocks = _Blocks(self.X, self.weights, self.roles, seed)
        n_blocks = count_blocks(self.X, self.X.shape[0], n_workers, block_bytes)
        n_blocks = min(n_blocks, blocks.n_users)
        return Part(blocks.train(n_blocks), n_blocks, self.n_rows)


class _Blocks(RatingBlocks):
    """The ratings of a search as blocks, with the roles of each."""

    def __init__(self, X, weights, roles, seed):
        super().__init__(X, weights, 0.0, seed)
        self._roles = roles

    def _cut(self, number, n_blocks):
        """Return a block with all ratings of its users."""
        block, users = super()._cut(number, n_blocks), self._users
        part = users[len(users) * number // n_blocks : len(users) * (number + 1) // n_blocks]
        counts = np.diff(block.indptr.astype(np.int64))
        shifts = self._X.indptr[part] - block.indptr[:-1].astype(np.int64)
        places = np.repeat(shifts, counts) + np.arange(len(block.indices))
        return replace(block, folds=self._roles[places].reshape(-1))
