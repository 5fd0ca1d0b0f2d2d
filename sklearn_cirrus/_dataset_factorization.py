"""Matrix factorization on a Dataset: the workers read the ratings where they lie.

Training wants blocks of whole users. Sparse rows are that: users times items, as the matrix that
``fit`` takes otherwise. A table of users, items and ratings is made such rows by the workers first.
What a fit on arrays learns of the ratings from the matrix, workers count here in a pass before.
"""

import base64
import json
from dataclasses import dataclass, replace

import numpy as np

from cirrus_runtime.ratings import unpack_counts

from ._als_fit import AlsFit
from ._dataset.pivot import rows_of_ratings
from ._dataset_ratings import fold_in_dataset
from ._factorization_fit import FactorizationFit
from ._factorization_warning import warn_of_failure
from ._ingest import Part
from ._map_run import run_map
from ._reach import check_reach
from ._resume import identity_of
from ._stages import OF_CALLER


def fit_dataset(model, config, data, rating_weight):
    """Fit a CirrusMatrixFactorization on a Dataset.

    Parameters
    ----------
    model : CirrusMatrixFactorization
    config : Config
    data : Dataset
        Of sparse rows, or a table of users, items and ratings.
    rating_weight : must be None
    """
    if rating_weight is not None:
        raise ValueError("rating_weight cannot be used with a Dataset")
    if not len(data):
        raise ValueError("X has no rating")
    with rows_of_ratings(data, config) as (rows, cost):
        start = model._start(rows)
        kind = _DatasetAls if model.solver == "als" else _DatasetFactorization
        fit = kind(model, config, rows)
        outcome = fit.run(start)
        model._take_items(outcome, fit.mean, np.dtype(rows.dtype))
        users, _, _, paid = fold_in_dataset(model, config, rows)
    model.cost_ += cost + fit.counted.cost + paid
    model.user_factors_ = users
    model._seen = None  # the ratings are not here
    model.n_features_in_ = rows.shape[1]
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    counted = fit.counted
    warn_of_failure(model, outcome, counted.mean, counted.square, OF_CALLER + 1)


@dataclass(frozen=True)
class _Counted:
    """What workers have counted.

    Attributes
    ----------
    n_users : int
        Users with ratings.
    known, hidden : int array of shape (n_blocks,)
        Ratings of each block to train on, and held out.
    items : int64 array of shape (n_rated,)
        Items with ratings: those of the model.
    of_items : int64 array of shape (n_rated,)
        Ratings of each to train on.
    mean, square : float
        Means of all ratings and of their squares.
    cost : float
    """

    n_users: int
    known: np.ndarray
    hidden: np.ndarray
    items: np.ndarray
    of_items: np.ndarray
    mean: float
    square: float
    cost: float


def _count(data, config, share, seed):
    """Return what workers count in the blocks of a Dataset of rows."""
    options = {"view": data.view(), "share": share, "seed": seed}
    results, cost = run_map(config, "ratings", options, dict(enumerate(data.blocks())))
    users, ratings, hidden, first, second, of_all, of_known = zip(
        *(results[number] for number in sorted(results)), strict=True
    )
    n, hidden = sum(ratings), np.array(hidden)
    if not n:
        raise ValueError("X has no rating")
    items = np.flatnonzero(sum(map(unpack_counts, of_all)))
    return _Counted(
        *(sum(users), np.array(ratings) - hidden, hidden),
        items=items,
        of_items=sum(map(unpack_counts, of_known))[items],
        mean=sum(first) / n,
        square=sum(second) / n,
        cost=cost,
    )


class _OnDataset:
    """What a fit on a Dataset of rows does in other ways than one on a matrix."""

    nbytes = 0  # no blocks are put

    def __init__(self, params, config, data):
        super().__init__(params, config, data, None, 0.0)
        check_reach(self.config, data.url)
        share = float(params.validation_fraction) if params.early_stopping else 0.0
        self.counted = _count(data, config, share, self.seed)
        self.n_ratings = int(self.counted.known.sum() + self.counted.hidden.sum())
        if params.biased:
            self.mean = self.counted.mean
        self._views = {}

    def run(self, start=None):
        # The model has the items with ratings alone: their numbers may be any.
        items = self.counted.items
        outcome = super().run(None if start is None else start[items])
        table = np.zeros((self.X.shape[1], outcome.items.shape[1]), np.float32)
        table[items] = outcome.items
        return replace(outcome, items=table)

    @property
    def n_items(self):
        return len(self.counted.items)

    def _count(self):
        return 0  # not known yet

    def _options(self):
        return {"parts": self._views}

    def _view(self, name, part, used, share):
        """Let leases of a kind name the blocks that are used, as a part of their ratings."""
        names = list(self.X.blocks())
        items = np.zeros(self.X.shape[1], bool)
        items[self.counted.items] = True
        step = {
            "step": "ratings", "part": part, "share": share, "seed": self.seed,
            "numbers": {name: number for number, name in enumerate(names)},
            "items": base64.b64encode(np.packbits(items)).decode(),
        }  # fmt: skip
        used = [names[i] for i in np.flatnonzero(used)]
        self._views[name] = {"view": self.X.with_step(step).view(), "names": used}


class _DatasetFactorization(_OnDataset, FactorizationFit):
    """One fit by a stochastic solver on a Dataset of rows."""

    def _open(self, hidden):
        counted = self.counted
        self._view("train", "known" if hidden else "all", counted.known, hidden)
        if hidden:
            self._view("valid", "held_out", counted.hidden, hidden)
        return counted.n_users, int(counted.hidden.sum())

    def _spread(self):
        mean, square = self.counted.mean, self.counted.square
        return max(0.0, square - 2 * mean * self.mean + self.mean**2) ** 0.5 or 1.0

    def _frequencies(self):
        return self.counted.of_items / self.counted.of_items.sum()

    def _parts(self, n_blocks, n_trained, n_scored):
        train = Part((), n_blocks[0], n_trained)
        return train, Part((), n_blocks[1], n_scored) if n_blocks[1] else None

    def _seen(self):
        return self.counted.of_items > 0

    def _n_blocks(self, n_users, hidden):
        return [len(self._views[name]["names"]) for name in self._views] + [0] * (not hidden)

    def _identity(self, n_blocks):
        if self._known is None:
            what = [block["digest"] for block in self.X.manifest.blocks], self.X.steps
            what = np.frombuffer(json.dumps(what).encode(), np.uint8)
            self._known = identity_of(self.params, what, None, self.X.picks, self.seed, n_blocks)
        return self._known


class _DatasetAls(_OnDataset, AlsFit):
    """One fit by alternating least squares on a Dataset of rows."""

    def _part(self, hidden):
        counted = self.counted
        self._check_bodies(int(np.count_nonzero(counted.of_items)))
        part = "held_out" if hidden else "all"
        self._view("train", part, counted.known + counted.hidden, hidden)
        n_blocks = len(self._views["train"]["names"])
        return Part((), n_blocks, int(counted.known.sum())), counted.of_items
