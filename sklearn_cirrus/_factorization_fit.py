"""From an estimator's parameters and validated ratings to a run, and from its outcome to items."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state

from cirrus_runtime.schedule import Schedule
from cirrus_runtime.server import ModelSpec

from ._factorization_rates import (
    BETA1,
    BETA2,
    automatic_batch_size,
    choose_rates,
    count_ratings,
    spread_of,
)
from ._ingest import Part, count_blocks
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._open_run import open_run
from ._rating_blocks import RatingBlocks
from ._resume import check_identity, identity_of, read_resumed
from ._trainer import Run, new_run_id

_NEARLY = 100  # times tol, an epoch: too little to warn of
_START = 0.1  # spread of the factors that training begins with, where ratings have spread 1


@dataclass(frozen=True)
class FactorizationOutcome:
    """The result of a fit.

    Attributes
    ----------
    items : float32 array of shape (n_items, width)
        Factors and, if biased, the bias last. Zeros for an item without a rating to train on.
    history : list of dict
        One entry an epoch; losses are mean squared errors.
    n_iter : int
    converged : bool
        Whether the last epochs improved the objective (with early stopping, the held-out loss) by
        less than 100 ``tol`` each, relatively; always if ``tol`` is None.
    cost : float
        US dollars.
    run_id : str
    cut : str
        As of ``Outcome``.
    """

    items: np.ndarray
    history: list
    n_iter: int
    converged: bool
    cost: float
    run_id: str
    cut: str


class FactorizationFit:
    """One fit of a matrix factorization by a stochastic solver.

    Parameters
    ----------
    params : CirrusMatrixFactorization
        Whose parameters have been checked.
    config : Config
    X : CSR matrix of shape (n_users, n_items), float32 or float64
        Stored entries are the ratings.
    weights : float array of shape (X.nnz,) or None
        One for each rating, not all zero.
    mean : float
        Added to every prediction; 0 if not biased.
    """

    one_pass = False
    takes_checkpoints = True
    nbytes = None  # of the blocks that are put: as many as X has

    def __init__(self, params, config, X, weights, mean):
        self.params = params
        config, self.host = complete_config(config)
        self.config = config
        self.X = X
        self.weights = weights
        self.n_ratings = self._count()
        self.mean = float(mean)
        self.width = int(params.n_components) + bool(params.biased)
        self._known = None
        self.seed = int(check_random_state(params.random_state).randint(2**31 - 1))
        self.n_workers = config.n_workers
        self.resumed = read_resumed(config)
        if self.resumed is not None and params.random_state is None:
            self.seed = int(self.resumed.identity["seed"])

    def _count(self):
        """Return the number of ratings."""
        return self.X.nnz

    @property
    def n_items(self):
        """Items of the model."""
        return self.X.shape[1]

    def run(self, start=None):
        """Train.

        Parameters
        ----------
        start : float array of shape (n_items, width), optional
            Items to go on from, as of :class:`FactorizationOutcome`.

        Returns
        -------
        FactorizationOutcome
        """
        params = self.params
        hidden = share_hidden(params, self.n_ratings)
        n_users, n_scored = self._open(hidden)
        n_trained = self.n_ratings - n_scored
        batch_size = params.batch_size
        if batch_size == "auto":
            batch_size = automatic_batch_size(n_users, n_trained)
        batch_size = min(int(batch_size), n_users)
        ratings = n_trained * batch_size / n_users
        spread = self._spread()
        rates = choose_rates(
            *(params.solver, params.learning_rate, self._frequencies, spread, ratings)
        )
        job, spec = self._job(batch_size), self._spec(rates)
        schedule = self._schedule(rates)
        if self.resumed is not None:
            identity = self._identity(self.resumed.identity["n_blocks"])
            check_identity(self.resumed.identity, identity, self.config.resume)

        def make(*rest):
            return Run(job, spec, *rest)

        with open_run(self, job, make, n_trained, self.nbytes) as run:
            n_blocks = self._n_blocks(n_users, hidden)
            if self.resumed is None:
                run.create(self._slots(start, rates, spread))
            else:
                run.resume(self.resumed)
            train, valid = self._parts(n_blocks, n_trained, n_scored)
            outcome = run.train(
                *(train, valid, schedule, bool(hidden), lambda: self._identity(n_blocks)),
            )
        items = outcome.slots["weights"].copy()
        items[~self._seen()] = 0.0
        return FactorizationOutcome(
            *(items, outcome.history, len(outcome.history)),
            schedule.converged or _is_level(outcome.history, schedule.tol, bool(hidden)),
            *(run.place.cost, job.run_id, outcome.cut),
        )

    def _open(self, hidden):
        """Return the number of users with ratings, and about that of the ratings to hide."""
        self._blocks = RatingBlocks(self.X, self.weights, hidden, self.seed)
        return self._blocks.n_users, round(hidden * self.n_ratings)

    def _spread(self):
        """Return the root mean square of ratings minus their mean, 1 if that is 0."""
        return spread_of(self.X, self.weights, self.mean)

    def _frequencies(self):
        """Return the share of the ratings that each item has."""
        return count_ratings(self.X) / self.n_ratings

    def _parts(self, n_blocks, n_trained, n_scored):
        """Return the parts of the data to train on and, if there is one, to score."""
        train = Part(self._blocks.train(n_blocks[0]), n_blocks[0], n_trained)
        if not n_blocks[1]:
            return train, None
        return train, Part(self._blocks.held_out(n_blocks[1]), n_blocks[1], n_scored)

    def _seen(self):
        """Return which items have a rating to train on, once all blocks were put."""
        return self._blocks.seen

    def _options(self):
        """Return what workers must know to read the blocks."""
        return {}

    def _n_blocks(self, n_users, hidden):
        """Return into how many blocks the users are cut, to train on and to score."""
        if self.resumed is not None:
            return self.resumed.identity["n_blocks"]
        # Users without ratings are in no block; they take next to nothing in the estimate.
        count = count_blocks(self.X, self.X.shape[0], self.n_workers, self.config.block_bytes)
        count = min(count, n_users)
        return [count, count if hidden else 0]

    def _identity(self, n_blocks):
        """Return what tells this fit from others; the data are read at the first call."""
        if self._known is None:
            self._known = identity_of(
                *(self.params, self.X, None, self.weights, self.seed, n_blocks),
            )
        return self._known

    def _job(self, batch_size):
        """Return the job of the workers, without the places where it runs."""
        config, params = self.config, self.params
        return new_job(
            config,
            run_id=config.resume or new_run_id(),
            n_features=self.n_items,
            width=self.width,
            intercept=False,
            batch_size=batch_size,
            seed=self.seed,
            kind="factorization",
            options={
                "alpha": float(params.alpha),
                "mean": self.mean,
                "biased": bool(params.biased),
                **self._options(),
            },
        )

    def _schedule(self, rates):
        """Return the schedule of the learning rate."""
        params = self.params
        return Schedule(
            rate=rates.rate,
            adaptive=params.learning_rate == "auto",
            max_iter=int(params.max_iter),
            tol=None if params.tol is None else float(params.tol),
            patience=int(params.n_iter_no_change),
        )

    def _spec(self, rates):
        """Return the specification of the model; the penalty is the workers'."""
        return ModelSpec(
            rows=self.n_items,
            width=self.width,
            optimizer=self.params.solver,
            beta1=BETA1,
            beta2=BETA2,
            eps=rates.eps,
            scaled=rates.scale is not None,
        )

    def _slots(self, start, rates, spread):
        """Return the slots to begin with."""
        if start is None:
            rank = int(self.params.n_components)
            start = start_of(self.n_items, self.width, rank, spread, self.seed)
        slots = {"weights": np.ascontiguousarray(start, np.float32)}
        if rates.squares:
            slots["squares"] = np.full(start.shape, rates.squares, np.float32)
        if rates.scale is not None:
            slots["scale"] = rates.scale
        return slots


def start_of(n_items, width, rank, spread, seed):
    """Return the items that training begins with: small random factors, no biases."""
    start = np.zeros((n_items, width), np.float32)
    random = np.random.default_rng(seed)
    start[:, :rank] = random.normal(0, _START * spread**0.5, (n_items, rank))
    return start


def share_hidden(params, n_ratings):
    """Return the share of the ratings that an estimator hides; refuse to hide the only one."""
    if not params.early_stopping:
        return 0.0
    if n_ratings < 2:
        raise ValueError("early_stopping needs two ratings at least: one of them is held out")
    return float(params.validation_fraction)


def _is_level(history, tol, is_held_out):
    """Whether the last quarter of the epochs brought next to nothing more."""
    seen = [entry["valid_loss" if is_held_out else "objective"] for entry in history]
    back = max(1, len(seen) // 4)
    return len(seen) > back and seen[-1 - back] <= seen[-1] * (1 + _NEARLY * tol) ** back
