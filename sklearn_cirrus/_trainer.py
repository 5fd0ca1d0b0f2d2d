"""READ FIRST: one training run, from blocks to weights.

    put blocks -> create the model -> start workers -> watch epoch by epoch -> collect -> clean up

The trainer knows stores, the parameter server, boards, and the base of the worker backends. It
knows nothing of scikit-learn, of processes or of clouds. Whatever ends a run (its last epoch, an
error, Ctrl-C), its keys are deleted, its workers end, its objects leave the store.
"""

import logging
import time
import uuid
from dataclasses import dataclass, replace

import numpy as np

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.errors import CirrusError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease
from cirrus_runtime.server import ParameterServer

from .exceptions import BlockError, DivergenceError, ServerError, WorkerError

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2  # between looks at the workers while no report comes
_END_SECONDS = 10.0  # that workers get to notice that the run has ended
_MOST_RELAUNCHES = 3  # of one place; then its workers do not die by accident


@dataclass(frozen=True)
class Part:
    """A part of the data.

    Attributes
    ----------
    blocks : iterable of Block
        Read once, one after the other.
    n_blocks : int
    n_rows : int
    """

    blocks: object
    n_blocks: int
    n_rows: int


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    Attributes
    ----------
    slots : dict of str to float32 array
        Every slot of the model; ``"weights"`` has shape (rows, width).
    clock : tuple of (int, float)
        Steps the model has seen and its last learning rate: goes with the slots.
    history : list of dict
        One entry an epoch.
    """

    slots: dict
    clock: tuple
    history: list


class Run:
    """One training run. A context manager: leaving it ends the run and removes its traces.

    Parameters
    ----------
    job : TrainJob
        With the urls of the place.
    spec : ModelSpec
    place : Place
        Board, engine, store and worker backend to use.
    n_workers : int
    progress : callable, optional
        Called with (rows done in this epoch, the last history entry or None).
    """

    def __init__(self, job, spec, place, n_workers, progress=None):
        self.keys = RunKeys(job.run_id)
        self.job = job
        self.spec = spec
        self.place = place
        self.n_workers = n_workers
        self.server = ParameterServer(place.engine, self.keys.model)
        self.history = []
        self._progress = progress or (lambda rows, entry: None)
        self._handles = {}
        self._relaunches = {}
        self._leases = 0
        self._started = time.perf_counter()

    def __enter__(self):
        try:
            self.place.put_up()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._clean_up()

    def create(self, slots, clock=None):
        """Create the model and load what is known of it: slot by name."""
        self.server.create(self.spec, clock=clock)
        for name, values in slots.items():
            self.server.load(name, values)

    def train(self, train, valid, schedule, keep_best):
        """Train until the schedule says stop.

        Parameters
        ----------
        train, valid : Part
            ``valid`` is None without held-out rows.
        schedule : Schedule
        keep_best : bool
            Whether to return the weights of the epoch with the best held-out loss.

        Returns
        -------
        Outcome

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        """
        self._start_workers(train.n_blocks)
        names = self._put(train, "train", schedule)
        valid_names = self._put(valid, "valid", None) if valid is not None else []
        best, best_loss, epoch, going = None, np.inf, 0, True
        while going:
            if epoch > 0:
                self._offer_epoch(names, epoch, schedule)
            reports = self._await(len(names), train.n_rows)
            weights = self.server.dump("weights")
            entry = self._entry(epoch, reports, weights, schedule)
            if valid_names:
                entry["valid_loss"] = self._valid_loss(valid_names, epoch)
                if entry["valid_loss"] < best_loss:
                    best_loss = entry["valid_loss"]
                    best = weights if keep_best else None
            self.history.append(entry)
            self._progress(0, entry)
            going = schedule.update(entry["valid_loss" if valid_names else "objective"])
            epoch += 1
        return self._collect(weights if best is None else best)

    # ---- Blocks and leases

    def _put(self, part, kind, schedule):
        """Put the blocks of a part; with a schedule, offer each at once for the first epoch."""
        names, done = [], 0
        for number, block in enumerate(part.blocks):
            names.append(self.keys.block(kind, number))
            self.place.store.put(names[-1], encode_block(block))
            if schedule is not None:
                end = done + block.n_rows
                span = done / part.n_rows, end / part.n_rows
                self._offer([("train", 0, number, names[-1], *map(schedule.at, span))])
                done = end
        return names

    def _offer_epoch(self, names, epoch, schedule):
        """Offer every block once, in random order, so that no block is always the last."""
        order = np.random.default_rng((self.job.seed, epoch)).permutation(len(names))
        leases = []
        for place, number in enumerate(order.tolist()):
            span = epoch + place / len(names), epoch + (place + 1) / len(names)
            leases.append(("train", epoch, number, names[number], *map(schedule.at, span)))
        self._offer(leases)

    def _offer(self, leases):
        """Number leases and post them."""
        first = self._leases
        self._leases += len(leases)
        self.place.board.offer([Lease(first + i, *fields) for i, fields in enumerate(leases)])

    def _await(self, count, n_rows):
        """Wait for the reports of the last ``count`` leases; look after the workers meanwhile."""
        missing = set(range(self._leases - count, self._leases))
        reports, rows = [], 0
        while missing:
            for report in self.place.board.collect(_POLL_SECONDS):
                if report.error:
                    raise BlockError(f"a worker could not use its block: {report.error}")
                if report.number in missing:
                    missing.remove(report.number)
                    reports.append(report)
                    rows += report.rows
            if n_rows:
                self._progress(rows, None)
            self._look_after_workers(bool(missing))
        return reports

    # ---- Workers

    def _start_workers(self, n_blocks):
        """Start the workers: never more than there are blocks."""
        places = range(min(self.n_workers, n_blocks))
        # A worker with one block has nothing to load ahead; without the thread it is quicker.
        prefetch = self.job.prefetch and n_blocks > len(places)
        jobs = [replace(self.job, worker=worker, prefetch=prefetch).to_json() for worker in places]
        for handle in self.place.backend.start(jobs):
            self._handles[handle.job["worker"]] = handle
        logger.debug("run %s: %d workers", self.job.run_id, len(self._handles))

    def _look_after_workers(self, needed):
        """Replace workers that died, give up if one failed for a reason that will come again."""
        for worker, handle in list(self._handles.items()):
            result = handle.poll()
            if result is None or not needed:
                continue
            if not result.ok and result.error_type != "WorkerDied":
                raise _failure(result)
            times = self._relaunches[worker] = self._relaunches.get(worker, 0) + 1
            if not result.ok:
                logger.warning(
                    "worker %d of run %s died: %s", worker, self.keys.run_id, result.error
                )
                if times > _MOST_RELAUNCHES:
                    raise WorkerError(
                        f"worker {worker} died {times} times; at last: {result.error}"
                    )
            generation = handle.job["generation"]
            self.place.board.reclaim(worker, generation)
            job = handle.job | {"generation": generation + 1}
            (self._handles[worker],) = self.place.backend.start([job])

    # ---- Losses

    def _entry(self, epoch, reports, weights, schedule):
        """Return the history entry of an epoch."""
        total = {
            name: sum(getattr(report, name) for report in reports)
            for name in ("rows", "weight", "loss", "updates", "nbytes", "compute", "server", "wait")
        }
        loss = total["loss"] / total["weight"]
        objective = loss + self._penalty(weights)
        if not np.isfinite(objective):
            raise DivergenceError(
                f"training diverged in epoch {epoch + 1}: the objective is {objective}; "
                "choose a smaller learning_rate or scale the data"
            )
        return {
            "epoch": epoch + 1,
            "train_loss": loss,
            "objective": objective,
            "learning_rate": schedule.at(epoch + 1.0),
            "rows": total["rows"],
            "updates": total["updates"],
            "workers": len({report.worker for report in reports}),
            "seconds": time.perf_counter() - self._started,
            "compute_seconds": total["compute"],
            "server_seconds": total["server"],
            "wait_seconds": total["wait"],
            "server_bytes": total["nbytes"],
        }

    def _penalty(self, weights):
        """Return the penalty of the weights, per row of data."""
        if self.spec.l1 == 0 and self.spec.l2 == 0:
            return 0.0
        w = weights[: self.spec.penalized].ravel().astype(np.float64)
        return self.spec.l2 / 2 * (w @ w) + self.spec.l1 * np.abs(w).sum()

    def _valid_loss(self, names, epoch):
        """Return the mean loss of the held-out rows, as workers sum it."""
        self._offer([("loss", epoch, number, name) for number, name in enumerate(names)])
        reports = self._await(len(names), 0)
        return sum(r.loss for r in reports) / sum(r.weight for r in reports)

    # ---- The end

    def _collect(self, weights):
        """Read what is to be kept from the server."""
        info = self.server.info()
        names = [name for name in self.spec.slots if name != "weights"]
        slots = {"weights": weights} | {name: self.server.dump(name) for name in names}
        return Outcome(slots, (info["steps"], info["rate"]), self.history)

    def _clean_up(self):
        """End the run: keys first, so that workers stop; then the workers; then the objects."""
        steps = (
            self.place.board.take_down,
            self.server.drop,
            self._end_workers,
            lambda: self.place.store.delete_prefix(self.keys.prefix),
            self.place.close,
        )
        for step in steps:
            try:
                step()
            except CirrusError as error:  # the run's own error matters more; the next step too
                logger.warning("cleaning up run %s: %s", self.keys.run_id, error)

    def _end_workers(self):
        """Wait until the workers have noticed, then end those that have not."""
        deadline = time.monotonic() + _END_SECONDS
        for handle in self._handles.values():
            handle.wait(max(0.0, deadline - time.monotonic()))
        self.place.backend.close()


def new_run_id():
    """Return an id that no other run has."""
    return uuid.uuid4().hex[:16]


def _failure(result):
    """Return the exception for a worker that raised one."""
    if result.error_type == "BadValueError":
        return DivergenceError(
            "training diverged: a gradient is not a finite number; choose a smaller "
            "learning_rate or scale the data"
        )
    kind = ServerError if result.error_type == "ServerError" else WorkerError
    return kind(f"a worker failed: {result.error}")
