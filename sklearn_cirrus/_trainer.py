"""READ FIRST: one training run, from blocks to weights.

    put blocks -> create the model -> start workers -> watch epoch by epoch -> collect -> clean up

The trainer knows stores, the parameter server, boards, and the base of the worker backends. It
knows nothing of scikit-learn, of processes or of clouds. Whatever ends a run (its last epoch, an
error, Ctrl-C), its keys are deleted, its workers end, its objects leave the store.

Workers may die at any time: ``_crew.py`` replaces them. The server may be lost at any time:
``_recovery.py`` makes the model anew from the last checkpoint. An epoch is a round of leases of
which some are done, so the loop below goes on in the middle of it whatever has happened. With a
single block, a worker posts these leases and the trainer only follows: see ``course.py``.
"""

import logging
import time
import uuid

import numpy as np

from cirrus_runtime.course import MOST_WEIGHTS, Course, Penalty
from cirrus_runtime.errors import CirrusError

from ._costs import costs_of, mean_penalty
from ._outcome import CutShort, Outcome
from ._recovery import LastingRun
from ._rounds import Round, loss_leases, train_leases
from ._stages import current_stage, note_usage_of_stage
from .exceptions import BlockError, DivergenceError, RunEnded, ServerUnavailable

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2  # between looks at the workers while no report comes


class Run(LastingRun):
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

    goes_alone = True  # whether one worker may go through the epochs by itself

    def __init__(self, job, spec, place, n_workers, checkpoints, progress=None):
        super().__init__(job, spec, place, n_workers, checkpoints)
        self._progress = progress or (lambda rows, entry: None)
        self._leases = 0
        self._cut = ""
        self._alone = False  # whether one worker goes through the epochs by itself: course.py
        self._rows = 0  # that workers went through
        self._homes = {}  # by name of a block: the place of the worker that keeps it
        self._stage = current_stage()
        self._started = time.perf_counter()

    def __enter__(self):
        try:
            self.place.put_up()
        except BaseException as error:
            self._clean_up(error)
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._clean_up(error)

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
        self._penalty = Penalty.of(self.spec)
        # The worker reads the model at the end of an epoch for the penalty alone.
        self._is_small = self.spec.rows * self.spec.width <= MOST_WEIGHTS
        small = self._is_small or not self._penalty
        self._alone = self.goes_alone and small and train.n_blocks == 1 and valid is None
        if self._first.schedule is None:
            self._first.schedule = schedule.state()
        self._go_back_to(self._first)
        self.crew.start(train.n_blocks)
        self._train, self._valid = self.place.share(train), self.place.share(valid)
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
            except CutShort as end:
                self._going, self._cut = False, str(end)
        return outcome

    # ---- Blocks and leases

    def _put_blocks(self):
        """Put all blocks; in the first epoch, offer each as soon as it is there."""
        lost = None
        for kind, part in (("train", self._train), ("valid", self._valid)):
            if part is None:
                continue
            for number in part.put(self.place.store, self.keys, kind):
                if lost:
                    continue
                waiting = self._round("train").waiting
                try:
                    self.place.board.beat()
                    if not self._epoch and waiting and waiting[0].block == number:
                        self._offer(waiting, 1)
                except (ServerUnavailable, RunEnded) as error:
                    lost = error  # the blocks come first: they can be read but once
        if lost is not None:
            self._reconnect(lost)

    def _round(self, kind):
        """Return the leases of a kind in this epoch; they are drawn up at the first call."""
        if kind not in self._rounds:
            leases = self._draw_up(kind)
            done = self._done if kind == "train" else {}
            self._rounds[kind] = Round.of(leases, self._leases, done, self._homes)
            self._leases += len(leases)
            if self._under_way:  # the worker posts them
                self._rounds[kind].waiting = []
        return self._rounds[kind]

    def _draw_up(self, kind):
        """Return the leases of a round, without their numbers."""
        if kind == "loss":
            valid = self._valid
            return loss_leases(valid.keys or self.keys, valid.n_blocks, self._epoch)
        train, more = self._train, (self._epoch, self._schedule, self.job.seed)
        return train_leases(train.keys or self.keys, train.n_blocks, *more)

    def _offer(self, waiting, count):
        """Offer the first leases that wait."""
        leases = waiting[:count]
        if self._alone:
            course = Course(self._schedule, self._penalty)
            leases = [course.lease(lease) for lease in leases]
        self.place.board.offer(leases)
        self._under_way = self._alone
        del waiting[:count]

    def _await(self, kind):
        """Return the reports of a round; look after the workers until they are there."""
        this = self._round(kind)
        if this.waiting:
            self._offer(this.waiting, len(this.waiting))
        heard = time.monotonic()
        while this.missing:
            self.place.check_budget()
            if not self._unread:
                self._unread.extend(self.place.board.collect(_POLL_SECONDS))
            while self._unread and this.missing:
                report = self._unread.popleft()
                if report.error:
                    raise BlockError(f"a worker could not use its block: {report.error}")
                lease = this.missing.pop(report.number, None)
                if lease is not None:
                    self._rows += report.rows
                    if report.kept:
                        self._homes[lease.name] = report.worker
                    heard = time.monotonic()
                    self._losses = 0
                    self.crew.note(report, lease)
                    this.reports[lease.block] = report
                    self._look_at(this.reports)
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

    def _look_at(self, reports):
        """Do what can be done before all reports of a round are there: for ``FullBatchRun``."""

    # ---- Epochs

    def _train_epoch(self):
        """Train one epoch, or what is left of it."""
        reports = self._await("train")
        if not self._penalty or self._alone:
            penalty = mean_penalty(reports)
        elif self._is_small:  # to the last bit as a worker that goes alone has it
            penalty = self._penalty(self.server.dump("weights"))
        else:
            penalty = self._penalty.of_norms(*self.server.norms(0, self._penalty.rows).sum(axis=1))
        entry = self._entry(self._epoch, reports, penalty, self._schedule)
        if self._valid is not None:
            losses = self._await("loss")
            entry["valid_loss"] = sum(r.loss for r in losses) / sum(r.weight for r in losses)
            if entry["valid_loss"] < self._best_loss:
                self._best_loss = entry["valid_loss"]
                if self._keep_best:
                    self._best = self.server.dump("weights")
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

    def _entry(self, epoch, reports, penalty, schedule):
        """Return the history entry of an epoch."""
        loss = sum(report.loss for report in reports) / sum(report.weight for report in reports)
        objective = loss + penalty
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
            "updates": sum(report.updates for report in reports),
            "seconds": time.perf_counter() - self._started,
            **costs_of(reports),
            "workers_replaced": self.crew.replaced,
            "server_restarts": self._restarts,
        }

    def _collect(self):
        """Read what is to be kept from the server."""
        info = self.server.info()
        names = [name for name in self.spec.slots if name != "weights"]
        weights = self.server.dump("weights") if self._best is None else self._best
        slots = {"weights": weights} | {name: self.server.dump(name) for name in names}
        return Outcome(slots, (info["steps"], info["rate"]), self.history, self._cut)

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
        seconds, n_workers = time.perf_counter() - self._started, len(self.crew.places)
        used = {"seconds": seconds, "worker_seconds": seconds * n_workers, "cost": self.place.cost}
        note_usage_of_stage(self._stage, n_workers=n_workers, rows=self._rows, **used)


def new_run_id():
    """Return an id that no other run has."""
    return uuid.uuid4().hex[:16]
