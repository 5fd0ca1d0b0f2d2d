"""READ FIRST: one training run, from blocks to weights.

    put blocks -> create the model -> start workers -> watch epoch by epoch -> collect -> clean up

The trainer knows stores, the parameter server, boards, and the base of the worker backends. It
knows nothing of scikit-learn, of processes or of clouds. Whatever ends a run (its last epoch, an
error, Ctrl-C), its keys are deleted, its workers end, its objects leave the store.

Workers may die at any time: ``_crew.py`` replaces them. The server may be lost at any time too. An
epoch is a list of leases of which some are done, so whatever is lost with the server can be made
anew: :meth:`Run.train` reconnects, and if the model is gone, or is an older one that the server
had saved, puts the last checkpoint (``_checkpoint.py``) in its place and goes on from there. Keys
that vanish from a server that was there all the time are another matter: somebody has deleted
them, or the server is too full to keep them, and the run ends with an error that says so.
"""

import logging
import time
import uuid
from dataclasses import dataclass

import numpy as np

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.errors import CirrusError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease
from cirrus_runtime.server import ParameterServer

from ._checkpoint import Checkpoint
from ._crew import Crew
from .exceptions import (
    BlockError,
    DivergenceError,
    RunEnded,
    ServerError,
    ServerUnavailable,
    StoreError,
)

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2  # between looks at the workers while no report comes
_MOST_LOSSES = 5  # of the server without progress between; then it is no accident


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


@dataclass
class _Round:
    """The leases of one kind in one epoch, and what has come of them.

    Attributes
    ----------
    missing : dict of int to Lease
        Those that no report has come of, by number.
    waiting : list of Lease
        Those of them that are still to be offered.
    reports : dict of int to Report
        By block.
    """

    missing: dict
    waiting: list
    reports: dict


class Run:
    """One training run. A context manager: leaving it ends the run and removes its traces.

    Parameters
    ----------
    job : TrainJob
    spec : ModelSpec
    place : Place
        Board, engine, store and worker backend to use.
    n_workers : int
    checkpoints : Checkpoints
    progress : callable, optional
        Called with (rows done in this epoch, the last history entry or None).
    """

    def __init__(self, job, spec, place, n_workers, checkpoints, progress=None):
        self.keys = RunKeys(job.run_id)
        self.job = job
        self.spec = spec
        self.place = place
        self.server = ParameterServer(place.engine, self.keys.model)
        self.crew = Crew(place, lambda: self.server, job, n_workers)
        self.checkpoints = checkpoints
        self._progress = progress or (lambda rows, entry: None)
        self._leases = 0
        self._started = time.perf_counter()
        self._is_lost = self._is_unreachable = False
        self._restarts = 0  # of the server in this epoch
        self._losses = self._setbacks = 0  # of connections and of models, without any progress
        self._furthest = 0  # epochs that were done, gone back to or not

    def __enter__(self):
        try:
            self.place.put_up()
        except BaseException as error:
            self._clean_up(error)
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._clean_up(error)

    def create(self, slots, clock=None):
        """Create the model and load what is known of it: slot by name."""
        self._first = Checkpoint(slots, clock)
        self._create(self._first)

    def resume(self, checkpoint):
        """Create the model as a checkpoint has it, to go on from there."""
        self._first = checkpoint
        # Workers of the process that took it may live on where it could not end them.
        self.crew.generation = (checkpoint.generation // 65536 + 1) * 65536
        logger.info("run %s: goes on from epoch %d", self.keys.run_id, checkpoint.epoch + 1)
        self._create(checkpoint)

    def train(self, train, valid, schedule, keep_best, identity=dict):
        """Train until the schedule says stop.

        Parameters
        ----------
        train, valid : Part
            ``valid`` is None without held-out rows.
        schedule : Schedule
        keep_best : bool
            Whether to return the weights of the epoch with the best held-out loss.
        identity : callable
            Gives what a checkpoint is to say of the run.

        Returns
        -------
        Outcome

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        """
        self._train, self._valid, self._identity = train, valid, identity
        self._schedule, self._keep_best = schedule, keep_best
        if self._first.schedule is None:
            self._first.schedule = schedule.state()
        self._go_back_to(self._first)
        self.crew.start(train.n_blocks)
        logger.info("run %s: %d rows in %d blocks", self.keys.run_id, train.n_rows, train.n_blocks)
        self._put_blocks()
        outcome = None
        while outcome is None:
            try:
                if self._is_lost:
                    self._restore()
                if self._going:
                    self._train_epoch()
                else:
                    outcome = self._collect()
            except (ServerUnavailable, RunEnded) as error:
                self._reconnect(error)
        return outcome

    # ---- Blocks and leases

    def _put_blocks(self):
        """Put all blocks; in the first epoch, offer each as soon as it is there."""
        lost = None
        for kind, part in (("train", self._train), ("valid", self._valid)):
            for number, block in enumerate(part.blocks if part is not None else ()):
                self.place.store.put(self.keys.block(kind, number), encode_block(block))
                waiting = self._round("train").waiting
                if lost or self._epoch or not waiting or waiting[0].block != number:
                    continue
                try:
                    self._offer(waiting, 1)
                except (ServerUnavailable, RunEnded) as error:
                    lost = error  # the blocks come first: they can be read but once
        if lost is not None:
            self._reconnect(lost)

    def _round(self, kind):
        """Return the leases of a kind in this epoch; they are drawn up at the first call."""
        if kind not in self._rounds:
            leases = self._train_leases() if kind == "train" else self._loss_leases()
            first = self._leases
            self._leases += len(leases)
            leases = [Lease(first + i, kind, self._epoch, *rest) for i, rest in enumerate(leases)]
            done = self._done if kind == "train" else {}
            waiting = [lease for lease in leases if lease.block not in done]
            missing = {lease.number: lease for lease in waiting}
            self._rounds[kind] = _Round(missing, waiting, dict(done))
        return self._rounds[kind]

    def _train_leases(self):
        """Return every block once, with the rates at its first row and after its last."""
        count, epoch = self._train.n_blocks, self._epoch
        order = np.arange(count)
        if epoch > 0:  # no block is to be always the last
            order = np.random.default_rng((self.job.seed, epoch)).permutation(count)
        rates = [self._schedule.at(epoch + place / count) for place in range(count + 1)]
        return [
            (number, self.keys.block("train", number), rates[place], rates[place + 1])
            for place, number in enumerate(order.tolist())
        ]

    def _loss_leases(self):
        """Return every held-out block once."""
        return [(i, self.keys.block("valid", i)) for i in range(self._valid.n_blocks)]

    def _offer(self, waiting, count):
        """Offer the first leases that wait."""
        self.place.board.offer(waiting[:count])
        del waiting[:count]

    def _await(self, kind):
        """Return the reports of a round; look after the workers until they are there."""
        this = self._round(kind)
        if this.waiting:
            self._offer(this.waiting, len(this.waiting))
        heard = time.monotonic()
        while this.missing:
            for report in self.place.board.collect(_POLL_SECONDS):
                if report.error:
                    raise BlockError(f"a worker could not use its block: {report.error}")
                lease = this.missing.pop(report.number, None)
                if lease is not None:
                    heard = time.monotonic()
                    self._losses = 0
                    self.crew.note(report, lease)
                    this.reports[lease.block] = report
            if kind == "train":
                self._progress(sum(report.rows for report in this.reports.values()), None)
            if this.missing:
                self.crew.look_after(self._check)
                if time.monotonic() - heard > self.job.lease_seconds:
                    heard = time.monotonic()
                    if self.place.board.count() == 0:  # no worker can bring what is missing
                        self._offer(list(this.missing.values()), len(this.missing))
            if self.checkpoints.due():
                self._save()
        return list(this.reports.values())

    # ---- Epochs

    def _train_epoch(self):
        """Train one epoch, or what is left of it."""
        reports = self._await("train")
        weights = self.server.dump("weights")
        entry = self._entry(self._epoch, reports, weights, self._schedule)
        if self._valid is not None:
            losses = self._await("valid")
            entry["valid_loss"] = sum(r.loss for r in losses) / sum(r.weight for r in losses)
            if entry["valid_loss"] < self._best_loss:
                self._best_loss = entry["valid_loss"]
                self._best = weights if self._keep_best else None
        self._weights = weights
        self.history.append(entry)
        self._progress(0, entry)
        self._going = self._schedule.update(
            entry["objective" if self._valid is None else "valid_loss"]
        )
        self._epoch += 1
        self._rounds, self._done = {}, {}
        self._restarts = self.crew.replaced = 0
        if self._epoch > self._furthest:
            self._furthest, self._setbacks = self._epoch, 0

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
            "workers_replaced": self.crew.replaced,
            "server_restarts": self._restarts,
        }

    def _penalty(self, weights):
        """Return the penalty of the weights, per row of data."""
        if self.spec.l1 == 0 and self.spec.l2 == 0:
            return 0.0
        w = weights[: self.spec.penalized].ravel().astype(np.float64)
        return self.spec.l2 / 2 * (w @ w) + self.spec.l1 * np.abs(w).sum()

    def _collect(self):
        """Read what is to be kept from the server."""
        info = self.server.info()
        names = [name for name in self.spec.slots if name != "weights"]
        weights = self._weights if self._best is None else self._best
        slots = {"weights": weights} | {name: self.server.dump(name) for name in names}
        return Outcome(slots, (info["steps"], info["rate"]), self.history)

    # ---- When the server is lost

    def _check(self):
        """Raise RunEnded if a key of the run is gone."""
        self.place.board.check()
        self.server.info()

    def _reconnect(self, error):
        """Reach the server again; find out whether the model must be made anew."""
        self._losses += 1
        if max(self._losses, self._setbacks) > _MOST_LOSSES:
            raise ServerError(f"the server was lost time and again: {error}") from error
        logger.warning("run %s: %s", self.keys.run_id, error)
        self._is_unreachable = True
        same = self.place.reconnect(self.keys.run_id)
        self._is_unreachable = False
        try:
            self._check()
        except RunEnded as gone:
            if same and not self._is_lost:
                raise ServerError(
                    f"the keys of run {self.keys.run_id} vanished from the server: somebody "
                    "deleted them (FLUSHALL?), or the server evicted them to make room: then raise "
                    "its maxmemory, or set its maxmemory-policy to noeviction"
                ) from gone
        except ServerUnavailable:
            same = False
        self._is_lost = self._is_lost or not same

    def _restore(self):
        """Make the model anew, as it was at the last checkpoint, and go on from there."""
        self.crew.kill()
        try:
            checkpoint = self.checkpoints.last() or self._first
        except StoreError:
            checkpoint = self._first
        logger.warning("run %s goes back to epoch %d", self.keys.run_id, checkpoint.epoch + 1)
        self.place.board.take_down()
        self.place.put_up()
        self._create(checkpoint)
        self._go_back_to(checkpoint)
        self.crew.restart()
        self._is_lost = False
        self._restarts += 1
        self._setbacks += 1

    def _create(self, checkpoint):
        """Create the model as a checkpoint has it."""
        self.server = ParameterServer(self.place.engine, self.keys.model)
        self.server.drop()
        self.server.create(self.spec, clock=checkpoint.clock)
        for name, values in checkpoint.slots.items():
            self.server.load(name, values)

    def _go_back_to(self, checkpoint):
        """Take the state of a checkpoint for that of the run."""
        self._epoch, self._going = checkpoint.epoch, True
        self._done, self._rounds = dict(checkpoint.reports), {}
        self.history = list(checkpoint.history)
        self._best, self._best_loss = checkpoint.best, checkpoint.best_loss
        self._schedule.restore(checkpoint.schedule)

    def _save(self):
        """Put a checkpoint."""
        reports = dict(self._round("train").reports)  # before the slots, which may hold more
        info = self.server.info()
        checkpoint = Checkpoint(
            slots={name: self.server.dump(name) for name in self.spec.slots},
            clock=(info["steps"], info["rate"]),
            epoch=self._epoch,
            reports=reports,
            history=self.history,
            schedule=self._schedule.state(),
            best=self._best,
            best_loss=self._best_loss,
            generation=self.crew.generation,
            identity=self._identity(),
        )
        self.checkpoints.put(checkpoint)

    # ---- The end

    def _clean_up(self, error):
        """End the run: keys first, so that workers stop; then the workers; then the objects."""
        reachable = () if self._is_unreachable else (self.place.board.take_down, self.server.drop)
        steps = (
            *reachable,
            lambda: self.crew.end(patient=bool(reachable)),
            lambda: self.checkpoints.clean_up(error),
            self.place.close,
        )
        for step in steps:
            try:
                step()
            except CirrusError as failure:  # the run's own error matters more; the next step too
                logger.warning("cleaning up run %s: %s", self.keys.run_id, failure)


def new_run_id():
    """Return an id that no other run has."""
    return uuid.uuid4().hex[:16]
