"""The worker: takes leases, trains on their blocks, reports, until the run ends.

One iteration is one minibatch: number its columns, STEP (push the last gradient, pull this
minibatch's part of the model), compute. The push of a minibatch and the pull of the next are one
round trip. A worker that trains alone therefore sees its own every update: that is plain sequential
SGD, and the same seed gives the same model.
"""

import math
import time

import numpy as np

from .affinity import Affinity
from .als import Als
from .course import Course
from .dataset_blocks import DatasetBlocks
from .disk_cache import is_slow_to_read, open_disk_cache
from .engines import InlineEngine, PushTag
from .errors import RunEnded, StaleWorkerError, StoreError, TrainerLost
from .factorization import FactorizationKernel
from .full_batch import FullBatch
from .keys import RunKeys
from .logistic import LogisticKernel
from .map_job import Map
from .prefetch import BlockCache, LeaseSource
from .protocol import Report, TrainJob
from .resources import open_resources
from .retry import Retry
from .search import Search
from .server import ParameterServer

# Kinds of jobs: those that train by minibatches (the plans of a search bring kernels of their own),
# and those that compute something of a whole block.
_MINIBATCHES = {
    "logistic": LogisticKernel,
    "factorization": FactorizationKernel,
    "search": LogisticKernel,
    "factor_search": FactorizationKernel,
}
_WHOLE_BLOCKS = {"full_batch": FullBatch, "als": Als, "map": Map}
_WAIT_SECONDS = 1.0
_LOSS_ROWS = 4096  # rows of a minibatch that only sums the loss
_STOP_SECONDS = 2.0  # left before the deadline when a worker takes no more work
_CUT_SECONDS = 1.0  # left before it when a worker gives back the block that it is on
_HOLD_SECONDS = 0.05  # for which reports of a course are held back, to go together
_HOLD_MORE = 1e-5  # and this for each epoch before: the state of a course grows with them


def run_worker(job, resources=None):
    """Work for a run until it ends or the deadline comes.

    Parameters
    ----------
    job : dict
        A :class:`~cirrus_runtime.protocol.TrainJob` as a dict.
    resources : Resources, optional
        Board, engine and store of this process (backend inline); by default the worker opens
        its own.

    Returns
    -------
    dict
        ``reason``: ``"ended"`` (the run is over), ``"deadline"``, ``"abandoned"`` (the trainer has
        not been heard of for long), ``"stale"`` (a newer generation has taken this worker's place)
        or ``"duplicate"`` (the job was delivered twice, and another one does it); ``rows`` and
        ``updates`` done.
    """
    job = TrainJob.from_json(job)
    keys = RunKeys(job.run_id)
    retry = Retry(job.retry_seconds, (job.seed << 16) + job.worker)
    opened = resources or retry(open_resources, job, keys)
    try:
        if not retry(opened.board.join):  # before anything is taken
            return {"reason": "duplicate", "rows": 0, "updates": 0}
        server = ParameterServer(opened.engine, keys.model)
        return _Worker(job, opened.board, opened.store, server, retry).run()
    except RunEnded:
        return {"reason": "ended", "rows": 0, "updates": 0}
    finally:
        if resources is None:
            opened.close()


class _Worker:
    """State of one worker in one run."""

    def __init__(self, job, board, store, server, retry):
        self.job = job
        self.server = server
        if job.kind in _WHOLE_BLOCKS:
            self.kernel = _WHOLE_BLOCKS[job.kind](job, server.engine)
        else:
            self.kernel = _MINIBATCHES[job.kind].of(job)
        if job.kind in ("search", "factor_search"):
            self.search = Search(job, store, server.engine)
        read = getattr(self.kernel, "read", None) or DatasetBlocks.of(job)
        self.disk = open_disk_cache(job)
        cache = BlockCache(store, self.kernel.accept, job.buffer_bytes, read, self.disk)
        self.retry = retry
        # A worker that only waits is heard of often enough not to pass for a frozen one.
        self.wait = min(_WAIT_SECONDS, job.lease_seconds / 3)
        affinity = Affinity(job.worker, cache.keeps) if is_slow_to_read(job) else None
        self.keeps = cache.keeps
        self.source = LeaseSource(board, cache, job.prefetch, self.retry, self.wait, affinity)
        self.sequence = 0
        self.renewed = time.perf_counter()
        self.cut = math.inf
        if job.deadline is not None:
            self.cut = self.renewed + job.deadline - time.time() - _CUT_SECONDS
        self.rows = self.updates = 0
        # Without a server in between there is nothing to recognise a push by.
        self.tagged = not isinstance(server.engine, InlineEngine)

    def run(self):
        """Go through leases until the run ends."""
        try:
            reason = self._work()
        except TrainerLost:
            reason = "abandoned"
        except RunEnded:
            reason = "ended"
        except StaleWorkerError:
            reason = "stale"
        finally:
            self.source.close()
            if self.disk is not None:
                self.disk.close()
        return {"reason": reason, "rows": self.rows, "updates": self.updates}

    def _work(self):
        """Do leases one by one."""
        started = time.perf_counter()
        while True:
            if self.job.deadline is not None and time.time() > self.job.deadline - _STOP_SECONDS:
                return "deadline"
            self._renew()
            item = self.source.next(self.wait)
            if item is None:
                continue
            token, lease, block, load = item
            waits = load | {"wait": time.perf_counter() - started, "kept": self.keeps(lease.name)}
            goes_on = lease.course is not None and not isinstance(block, StoreError)
            perform = self._follow if goes_on else self._perform
            reports, then, is_cut = perform(lease, block, waits)
            started = time.perf_counter()
            if reports:
                self.source.finish(token, *reports, then=then)
            if is_cut:
                return "deadline"

    def _perform(self, lease, block, waits):
        """Do a lease. Return its report in a list, None, and whether the deadline cut it off."""
        if isinstance(block, StoreError):
            totals = {"error": f"{type(block).__name__}: {block}"}
        elif lease.kind == "train":
            totals = self._train(lease, block)
        elif lease.kind == "search":
            totals = self._for_all(lease, self._train, lease, block)
        elif lease.kind == "held_out":
            totals = self._for_all(lease, self._sum_loss, block)
        elif lease.kind == "loss":
            totals = self._sum_loss(block)
        else:
            totals = self.retry(self.kernel.perform, lease, block, self._renew)
        if totals is None:
            return [], None, True
        return [self._report(lease, waits | totals)], None, False

    def _report(self, lease, totals):
        """Return the report of a lease."""
        self.rows += totals.get("rows", 0)
        self.updates += totals.get("updates", 0)
        return Report(
            *(lease.number, lease.kind, lease.epoch),
            *(self.job.worker, self.job.generation),
            **totals,
        )

    def _follow(self, lease, block, waits):
        """Do a lease and, for a while, those that follow in its course.

        Return the reports, the lease to go on with if any, and whether the deadline cut it off.
        """
        course = Course.of(lease.course)
        reports = []
        until = time.perf_counter() + _HOLD_SECONDS + _HOLD_MORE * lease.epoch
        while lease is not None and (not reports or time.perf_counter() < until):
            totals = self._train(lease, block, course)
            if totals is None:
                return reports, course.lease(lease), True
            reports.append(self._report(lease, waits | totals))
            lease, waits = course.after(lease, reports[-1]), {"hit": True, "kept": True}
        return reports, None if lease is None else course.lease(lease), False

    def _train(self, lease, block, course=None):
        """Train on a block: one pass in random order. Return the totals for the report."""
        order = np.random.default_rng((self.job.seed, lease.epoch, lease.block))
        order = order.permutation(block.n_rows).astype(np.uint32)
        batches = max(1, -(-block.n_rows // self.job.batch_size))
        bounds = [block.n_rows * i // batches for i in range(batches + 1)]
        slope = (lease.lr_end - lease.lr) / batches
        kernel, server, retry = self.kernel, self.server, self.retry
        kernel.open(block, order, -(-block.n_rows // batches))
        loss, weight = 0.0, kernel.weight(block)
        floats = localize = compute = trips = 0
        last = None
        clock = time.perf_counter
        for i in range(batches):
            begin = clock()
            ids = kernel.localize(bounds[i], bounds[i + 1])
            asked = clock()
            if last is None:
                model = retry(server.pull, ids)
            else:
                model = retry(server.step, *last, ids, self._tag())
            got = clock()
            part, gradient = kernel.gradient(model)
            loss += part
            last = ids, gradient, lease.lr + (i + 0.5) * slope
            floats += 2 * (1 + kernel.width) * ids.size
            localize += asked - begin
            trips += got - asked
            compute += clock() - got
            if got - self.renewed > self.job.lease_seconds / 3:
                self._renew()
            if got > self.cut:
                return None
        begin = clock()
        if course is not None and course.penalty:
            weights = retry(server.step, *last, course.penalized, self._tag())
            trips += clock() - begin
            penalty = course.penalty(weights)
        else:
            retry(server.push, *last, self._tag())
            trips += clock() - begin
            penalty = kernel.penalty / (weight or 1.0)
        return {
            "rows": kernel.count(block),
            "weight": weight,
            "loss": loss,
            "updates": batches,
            "nbytes": 4 * floats,
            "localize": localize,
            "compute": compute,
            "server": trips,
            "penalty": penalty,
        }

    def _for_all(self, lease, do, *arguments):
        """Do something with all fits of a search. Return the totals for the report."""
        try:
            self.kernel, self.server = self.search.follow(lease)
            totals = do(*arguments)
        except RunEnded:  # or the lease is of an older plan: then nobody misses its report
            return {}
        if totals is not None:
            totals["body"] = self.kernel.take_losses()
        return totals

    def _sum_loss(self, block):
        """Sum the loss of the model as it is over a block. Return the totals for the report."""
        loss = 0.0
        begin = time.perf_counter()
        self.kernel.open(block, np.arange(block.n_rows, dtype=np.uint32), _LOSS_ROWS)
        for first in range(0, block.n_rows, _LOSS_ROWS):
            ids = self.kernel.localize(first, min(first + _LOSS_ROWS, block.n_rows))
            loss += self.kernel.loss(self.retry(self.server.pull, ids))
            self._renew()
        rows, weight = self.kernel.held_out(block)
        return {
            "rows": rows,
            "weight": weight,
            "loss": loss,
            "compute": time.perf_counter() - begin,
        }

    def _tag(self):
        """Return the tag of the next push."""
        if not self.tagged:
            return None
        self.sequence += 1
        return PushTag(self.job.worker, self.job.generation, self.sequence)

    def _renew(self):
        """Renew the leases held, when it is time to."""
        now = time.perf_counter()
        if now - self.renewed > self.job.lease_seconds / 3:
            self.renewed = now
            self.source.renew()
