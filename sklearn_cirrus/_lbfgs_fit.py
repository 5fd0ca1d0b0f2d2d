"""From an estimator's parameters and validated data to an exact fit."""

from dataclasses import replace

import numpy as np

from cirrus_runtime.protocol import TrainJob

from ._exact_blocks import ExactBlocks, count_exact_blocks
from ._full_batch import FullBatchRun
from ._ingest import Part, row_bytes
from ._lambda_settings import complete_config
from ._lbfgs import Minimizer
from ._logistic_state import LogisticOutcome, LogisticState
from ._moments import Moments
from ._open_run import open_run
from ._smallest import smallest
from ._trainer import new_run_id
from ._variables import Variables


class LbfgsFit:
    """One fit of logistic regression by L-BFGS; the parameters are those of ``LogisticFit``."""

    one_pass = False
    takes_checkpoints = False  # an evaluation is begun anew, the state of the search is here

    def __init__(self, params, config, X, labels, weights, n_classes):
        kept = None if weights is None else np.flatnonzero(weights)
        if kept is not None and len(kept) == len(weights):
            kept = None
        if config.resume is not None:
            raise ValueError("solver='lbfgs' takes no checkpoints, so it cannot be resumed")
        self.params = params
        config, self.host = complete_config(config)
        # The parameters are on one server, so no other one needs to be there.
        first = config.redis_urls[0] if config.redis_urls else None
        self.config = replace(config, redis_url=first, n_servers=1)
        # A row of weight zero must not even move the bounds of the blocks.
        self.X = X if kept is None else X[kept]
        self.labels = (labels if kept is None else labels[kept]).astype(np.float32)
        self.weights = weights if kept is None else weights[kept]
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
        moments = Moments.of(X, self.weights, intercept)
        table = np.zeros((X.shape[1] + intercept, self.width))
        if start is not None:
            table[: X.shape[1]] = start[0].T
            table[X.shape[1] :] = start[1]  # has no row without an intercept
        variables = Variables(X, self.weights, moments, strength, self._share(), table)
        job, part = self._job(), self._part()

        def make(*rest):
            return FullBatchRun(job, part, *rest)

        with open_run(self, job, make, part.n_rows) as run:
            found = Minimizer(run, variables, total, strength, params.tol).minimize(
                table, int(params.max_iter)
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

    def _share(self):
        """Return the mean of p (1 - p) over the classes, for a model of an intercept alone."""
        counts = np.bincount(self.labels.astype(np.intp), self.weights, self.n_classes)
        shares = counts / counts.sum()
        return max(float((shares * (1 - shares)).mean()), 1e-3)

    def _weights(self, table):
        """Return coef_ and intercept_."""
        if np.isinf(self.params.C):
            table = smallest(table, self.X, self.params.fit_intercept)
        d = self.X.shape[1]
        coef = table[:d].T
        offset = table[d].copy() if self.params.fit_intercept else np.zeros(self.width)
        if self.width > 1:
            # Adding one vector to all classes changes no probability: take the smallest penalty.
            coef = coef - coef.mean(axis=0)
            offset -= offset.mean()
        return np.ascontiguousarray(coef), offset

    def _job(self):
        """Return the job of the workers, without the places where it runs."""
        config, X = self.config, self.X
        return TrainJob(
            run_id=new_run_id(),
            n_features=X.shape[1],
            width=self.width,
            intercept=bool(self.params.fit_intercept),
            batch_size=1,
            seed=0,
            store_url="",
            # All wait for the last block: a worker must not hold one back while another idles,
            # unless blocks have to be loaded anew each time.
            prefetch=config.prefetch and row_bytes(X) * X.shape[0] > config.buffer_bytes,
            buffer_bytes=config.buffer_bytes,
            cache_bytes=config.cache_bytes,
            lease_seconds=float(config.lease_seconds),
            retry_seconds=float(config.retry_seconds),
            kind="full_batch",
        )

    def _part(self):
        """Return the data: its blocks are made when the trainer asks for them."""
        n = self.X.shape[0]
        n_blocks = count_exact_blocks(self.X, n, self.config.block_bytes)
        blocks = ExactBlocks(self.X, self.labels, self.weights, n_blocks)
        return Part(blocks, n_blocks, n)
