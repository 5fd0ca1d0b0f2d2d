"""From candidates of matrix factorization that can share a table to a run, and back.

What candidates share: solver, biases, batch size, number of epochs, seed, and whether the rate is
automatic. What each has of its own: n_components (its columns are as many), alpha (workers add the
penalty), learning_rate, tol, n_iter_no_change.

The fits of a split begin where fits of its ratings alone would, at the same random items, and have
as many steps an epoch. Rates, and what goes with them, are those of all ratings together.
"""

from dataclasses import dataclass

import numpy as np

from cirrus_runtime.factor_pairs import TRAIN
from cirrus_runtime.factor_search import FactorPlan
from cirrus_runtime.model_spec import ModelSpec
from cirrus_runtime.schedule import Schedule

from ._factorization_fit import FactorizationOutcome, start_of
from ._factorization_parameters import check_parameters
from ._factorization_rates import (
    BETA1,
    BETA2,
    automatic_batch_size,
    choose_rates,
    count_ratings,
    spread_of,
)
from ._parameters import plain_count
from ._rating_matrix import moments, rating_matrix, rating_weights
from ._search_fits import Fit, Fits
from ._search_group import SearchGroup
from .config import get_config


@dataclass
class FactorFit(Fit):
    """One candidate on one split of the ratings.

    Attributes
    ----------
    rank : int
        Number of factors.
    alpha, mean : float
        Strength of the penalty, and what is added to every prediction.
    """

    rank: int = 0
    alpha: float = 0.0
    mean: float = 0.0


class FactorFits(Fits):
    """The fits of a table of items.

    Parameters
    ----------
    fits : list of FactorFit
    splits : int
    start : callable
        Gives the items that a fit begins with.
    """

    starts = ("weights",)

    def __init__(self, fits, splits, start):
        super().__init__(fits, splits)
        self._start = start

    def plan(self):
        """Return the FactorPlan for the workers."""
        fits = self.fits
        lists = ([getattr(f, name) for f in fits] for name in ("split", "rank", "alpha", "mean"))
        return FactorPlan(fits[0].width > fits[0].rank, self.splits, *lists)

    def fresh(self, name, rows, fits, start):
        """Return a slot of fits that have seen nothing."""
        if name != "weights" or not fits:
            return super().fresh(name, rows, fits, start)
        return np.hstack([self._start(fit) for fit in fits])


class FactorGroup(SearchGroup):
    """One table of candidates; see ``SearchGroup``.

    Parameters
    ----------
    params : CirrusMatrixFactorization
    data : FactorSearchData
    """

    shared = ("solver", "biased", "batch_size", "max_iter", "random_state")
    exact_solver = "als"
    check_parameters = staticmethod(check_parameters)
    columns = None
    rows = property(lambda self: self.X.shape[1])

    @staticmethod
    def settings(params):
        """Return the settings of a candidate's fit."""
        return get_config(backend=params.backend, n_workers=plain_count(params.n_workers))

    def _choose_steps(self):
        X, weights, data = self.X, self.data.weights, self.data
        roles, means = data.roles, []
        share = np.ones(X.nnz) if weights is None else weights
        self._trained = [float(share[of_split == TRAIN].sum()) for of_split in roles.T]
        self._seen = [
            np.bincount(X.indices[of_split == TRAIN], minlength=X.shape[1]) > 0
            for of_split in roles.T
        ]
        for of_split, total in zip(roles.T, self._trained, strict=True):
            is_trained = of_split == TRAIN
            means.append(float((X.data * share)[is_trained].sum(dtype=np.float64) / total))
        self._means = means if self.params.biased else [0.0] * len(means)
        mean = moments(X, weights)[0] if self.params.biased else 0.0
        self._spread = spread_of(X, weights, mean)
        n_users = int(np.count_nonzero(np.diff(X.indptr)))
        n_trained = np.count_nonzero(roles == TRAIN) / roles.shape[1]
        size = self.params.batch_size
        size = automatic_batch_size(n_users, n_trained) if size == "auto" else int(size)
        self.batch_size = min(size, n_users)
        n_ratings = n_trained * self.batch_size / n_users
        self.rates = choose_rates(
            *(self.params.solver, self.params.learning_rate),
            *(lambda: count_ratings(X) / X.nnz, self._spread, n_ratings),
        )

    def size(self, params):
        """Return the columns of a candidate in each of its splits."""
        return int(params.n_components) + bool(params.biased)

    def fits(self, candidate, params):
        """Return the fits of a candidate."""
        is_auto = params.learning_rate == "auto"
        return [
            FactorFit(
                *(candidate, split),
                Schedule(
                    rate=self.rates.rate if is_auto else float(params.learning_rate),
                    adaptive=is_auto,
                    max_iter=int(params.max_iter),
                    tol=None if params.tol is None else float(params.tol),
                    patience=int(params.n_iter_no_change),
                ),
                width=self.size(params),
                trained=self._trained[split],
                tests=len(test),
                rank=int(params.n_components),
                alpha=float(params.alpha),
                mean=self._means[split],
            )
            for split, (_, test) in enumerate(self.data.splits)
        ]

    def fill(self, estimator, fit, table, X):
        """Make the estimator of a fit, which has its parameters, one that was fitted on X."""
        train = self.data.splits[fit.split][0]
        ratings, weights = X[train], self.data.rating_weight
        matrix = rating_matrix(estimator, ratings, reset=True)
        if weights is not None:
            weights = rating_weights(np.asarray(weights)[train], ratings, matrix)
        outcome = FactorizationOutcome(table, [], fit.epochs, True, 0.0, "", "")
        estimator._take_ratings(outcome, fit.mean, matrix, weights)

    def _start(self, fit):
        """Return the items that a fit begins with: zeros where it has no rating to train on."""
        start = start_of(self.rows, fit.width, fit.rank, self._spread, self.seed)
        start[~self._seen[fit.split]] = 0.0
        return start

    def _table(self, fits):
        """Return the fits of the table."""
        return FactorFits(fits, len(self.data.splits), self._start)

    def _slots(self):
        """Return the slots that all fits share."""
        return {} if self.rates.scale is None else {"scale": self.rates.scale}

    def _job(self):
        """Return the job of the workers, without the places where it runs."""
        biased = bool(self.params.biased)
        return self._make_job(
            n_features=self.rows,
            width=1,
            intercept=False,
            kind="factor_search",
            options={"alpha": 1.0, "mean": 0.0, "biased": biased},
        )

    def _spec(self, table):
        """Return the specification of the table; penalties are the workers'."""
        return ModelSpec(
            rows=self.rows,
            width=table.width,
            penalized=0,
            optimizer=self.params.solver,
            beta1=BETA1,
            beta2=BETA2,
            eps=self.rates.eps,
            scaled=self.rates.scale is not None,
            varied=True,
        )
