"""From an estimator's parameters and ratings to a fit by alternating least squares.

An iteration solves all users given the items, then all items given the users, both exactly. The
objective is that of the other solvers (docs/factorization.md), and never rises:

    J = 1/W * sum_ui w_ui [(r_ui - mean - b_u - b_i - p_u.q_i)^2 + alpha (|p_u|^2 + |q_i|^2
                                                                         + b_u^2 + b_i^2)]

with W = sum_ui w_ui. A vector is so penalized once for each of its ratings (Zhou, Wilkinson,
Schreiber, Pan 2008, "Large-scale parallel collaborative filtering for the Netflix prize").
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import check_random_state

from cirrus_runtime.normal_equations import equations_width

from ._als import Alternation
from ._als_blocks import count_user_blocks, weigh_items
from ._als_run import AlsRun
from ._factorization_fit import FactorizationOutcome, share_hidden
from ._ingest import Part
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._open_run import open_run
from ._rating_blocks import RatingBlocks

_LARGEST_BODY = 512 << 20  # bytes of a string in Redis
_SPREAD = 0.1  # standard deviation of the items' factors at the start


class AlsFit:
    """One fit by alternating least squares; parameters are those of ``FactorizationFit``."""

    one_pass = False
    takes_checkpoints = False  # an iteration is begun anew, and the items are here
    nbytes = None  # of the blocks that are put: as many as X has

    def __init__(self, params, config, X, weights, mean):
        if config.resume is not None:
            raise ValueError("solver='als' takes no checkpoints, so it cannot be resumed")
        self.params = params
        config, self.host = complete_config(config)
        # The items are on one server, so no other one needs to be there.
        first = config.redis_urls[0] if config.redis_urls else None
        self.config = replace(config, redis_url=first, n_servers=1)
        self.X = X
        self.weights = weights
        self.n_ratings = self._count()
        self.mean = float(mean)
        self.unknowns = int(params.n_components) + bool(params.biased)
        # As the workers have it; a zero would leave vectors undetermined.
        self.alpha = max(float(np.float32(params.alpha)), float(np.finfo(np.float32).tiny))
        self.seed = int(check_random_state(params.random_state).randint(2**31 - 1))

    def run(self, start=None):
        """Train.

        Parameters
        ----------
        start : float array of shape (n_items, unknowns), optional
            Items to go on from, as of ``FactorizationOutcome``.

        Returns
        -------
        FactorizationOutcome
        """
        params = self.params
        hidden = share_hidden(params, self.n_ratings)
        part, item_weights = self._part(hidden)
        job = self._job(bool(hidden))

        def make(*rest):
            return AlsRun(job, part, *rest)

        with open_run(self, job, make, part.n_rows, self.nbytes) as run:
            items = self._first_items() if start is None else np.array(start, np.float32)
            tol = None if params.tol is None else float(params.tol)
            patience = int(params.n_iter_no_change)
            alternation = Alternation(run, self.alpha, item_weights, tol, patience)
            found = alternation.solve(items, int(params.max_iter))
            history = run.history
        return FactorizationOutcome(
            *(found.items, history, found.n_iter, found.converged),
            *(run.place.cost, job.run_id, found.cut),
        )

    def _part(self, hidden):
        """Return the data, and the weights of the items: filled while blocks are put."""
        X, weighted = self.X, self.weights is not None
        blocks = RatingBlocks(X, self.weights, hidden, self.seed)
        rated = int(np.count_nonzero(np.bincount(X.indices)))
        self._check_bodies(rated)
        n_blocks = count_user_blocks(self.n_ratings, rated, weighted, self.config.block_bytes)
        n_blocks = min(n_blocks, blocks.n_users)
        cut = blocks.held_out(n_blocks) if hidden else blocks.train(n_blocks)
        item_weights = np.zeros(X.shape[1])
        n_trained = self.n_ratings - round(hidden * self.n_ratings)
        return Part(weigh_items(cut, bool(hidden), item_weights), n_blocks, n_trained), item_weights

    def _count(self):
        """Return the number of ratings."""
        return self.X.nnz

    @property
    def n_items(self):
        """Items of the model."""
        return self.X.shape[1]

    def _options(self):
        """Return what workers must know to read the blocks."""
        return {}

    def _check_bodies(self, n_items):
        """Refuse normal equations that no server could take."""
        nbytes = 16 + n_items * (4 + 4 * equations_width(self.unknowns))
        if nbytes > _LARGEST_BODY and self.config.backend != "inline":
            raise ValueError(
                f"solver='als' with n_components={self.params.n_components} and {n_items} rated "
                f"items: workers would send {nbytes >> 20} MiB for each block of users, and Redis "
                "takes no more than 512: choose fewer components, or another solver, which sends "
                "the items themselves"
            )

    def _first_items(self):
        """Return the items to begin with: small random factors, no biases."""
        n_items, rank = self.n_items, int(self.params.n_components)
        items = np.zeros((n_items, self.unknowns), np.float32)
        items[:, :rank] = np.random.default_rng(self.seed).normal(0, _SPREAD, (n_items, rank))
        return items

    def _job(self, held_out):
        """Return the job of the workers, without the places where it runs."""
        config = self.config
        weighted = self.weights is not None
        kept = (
            28 if weighted else 20
        ) * self.n_ratings  # bytes of all blocks in the workers, about
        return new_job(
            config,
            n_features=self.n_items,
            width=self.unknowns,
            intercept=False,
            batch_size=1,
            seed=0,
            # All wait for the last block: a worker must not hold one back while another idles,
            # unless blocks have to be loaded anew each time.
            prefetch=config.prefetch and kept > config.buffer_bytes,
            kind="als",
            options={
                "alpha": self.alpha,
                "mean": self.mean,
                "biased": bool(self.params.biased),
                "held_out": held_out,
                **self._options(),
            },
        )
