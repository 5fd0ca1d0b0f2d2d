"""From an estimator's parameters and validated data to an exact fit."""

from dataclasses import replace

import numpy as np

from ._exact_blocks import ExactBlocks, count_exact_blocks
from ._full_batch import FullBatchRun
from ._ingest import Part, row_bytes
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._lbfgs import Minimizer
from ._logistic_state import LogisticOutcome, LogisticState
from ._moments import Moments
from ._open_run import open_run
from ._smallest import smallest
from ._variables import Variables, covariance_of


class LbfgsFit:
    """One fit of logistic regression by L-BFGS; the parameters are those of ``LogisticFit``."""

    one_pass = False
    takes_checkpoints = False  # an evaluation is begun anew, the state of the search is here
    nbytes = None  # of the blocks that are put: as many as X has

    def __init__(self, params, config, X, labels, weights, n_classes):
        if config.resume is not None:
            raise ValueError("solver='lbfgs' takes no checkpoints, so it cannot be resumed")
        self.params = params
        config, self.host = complete_config(config)
        # The parameters are on one server, so no other one needs to be there.
        first = config.redis_urls[0] if config.redis_urls else None
        self.config = replace(config, redis_url=first, n_servers=1)
        if weights is not None and not weights.all():
            # A row of weight zero must not even move the bounds of the blocks.
            kept = np.flatnonzero(weights)
            X, labels, weights = X[kept], labels[kept], weights[kept]
        self.X = X
        self.labels = labels.astype(np.float32)
        self.weights = weights
        self.n_classes = n_classes
        self.width = 1 if n_classes == 2 else n_classes

    def run(self, start):
        """Train.

        Parameters
        ----------
        start : tuple of (coef, intercept) or None
            To go on from.

        Returns
        -------
        LogisticOutcome
        """
        params, X = self.params, self.X
        intercept = bool(params.fit_intercept)
        total = float(X.shape[0] if self.weights is None else self.weights.sum())
        strength = 1.0 / (float(params.C) * total)
        table = np.zeros((X.shape[1] + intercept, self.width))
        if start is not None:
            table[: X.shape[1]] = start[0].T
            table[X.shape[1] :] = start[1]  # has no row without an intercept
        job, part = self._job(), self._part()

        def make(*rest):
            return self._run_of(job, part, *rest)

        with open_run(self, job, make, part.n_rows, self.nbytes) as run:
            minimizer = Minimizer(run, total, strength, params.tol)
            found = minimizer.minimize(
                *(table, int(params.max_iter)),
                lambda: Variables(*self._columns(run, table), strength, self._share(), table),
            )
            history = run.history
        coef, offset = self._weights(found.table)
        return LogisticOutcome(
            *(coef, offset, history, found.converged),
            state=LogisticState.of_weights(coef, offset),
            n_iter=found.n_iter,
            cost=run.place.cost,
            cut=found.cut,
        )

    _run_of = FullBatchRun

    def _columns(self, run, table):
        """Return moments and covariance of the columns."""
        moments = Moments.of(self.X, self.weights, bool(self.params.fit_intercept))
        return moments, covariance_of(self.X, self.weights, moments)

    def _share(self):
        """Return the mean of p (1 - p) over the classes, for a model of an intercept alone."""
        counts = np.bincount(self.labels.astype(np.intp), self.weights, self.n_classes)
        shares = counts / counts.sum()
        return max(float((shares * (1 - shares)).mean()), 1e-3)

    def _weights(self, table):
        """Return coef_ and intercept_."""
        if np.isinf(self.params.C):
            table = self._smallest(table)
        d = self.X.shape[1]
        coef = table[:d].T
        offset = table[d].copy() if self.params.fit_intercept else np.zeros(self.width)
        if self.width > 1:
            # Adding one vector to all classes changes no probability: take the smallest penalty.
            coef = coef - coef.mean(axis=0)
            offset -= offset.mean()
        return np.ascontiguousarray(coef), offset

    def _smallest(self, table):
        """Return the smallest weights that give all rows the margins that these give."""
        return smallest(table, self.X, self.params.fit_intercept)

    def _bytes(self):
        """Return about what all blocks take together."""
        return row_bytes(self.X) * self.X.shape[0]

    def _options(self):
        """Return what workers must know besides."""
        return {}

    def _job(self):
        """Return the job of the workers, without the places where it runs."""
        config, X = self.config, self.X
        return new_job(
            config,
            n_features=X.shape[1],
            width=self.width,
            intercept=bool(self.params.fit_intercept),
            batch_size=1,
            seed=0,
            # All wait for the last block: a worker must not hold one back while another idles,
            # unless blocks have to be loaded anew each time.
            prefetch=config.prefetch and self._bytes() > config.buffer_bytes,
            kind="full_batch",
            options=self._options(),
        )

    def _part(self):
        """Return the data: its blocks are made when the trainer asks for them."""
        n = self.X.shape[0]
        n_blocks = count_exact_blocks(self.X, n, self.config.block_bytes)
        blocks = ExactBlocks(self.X, self.labels, self.weights, n_blocks)
        return Part(blocks, n_blocks, n)
