"""What a run does when the server is lost, so that it goes on.

1. Every command fails with ServerUnavailable when its connection is lost. The trainer reconnects;
   an embedded server that is dead or frozen is replaced, another is waited for.
2. If it is the same server as before and the run's keys are there, only a connection was lost: the
   trainer goes on waiting for the reports that are missing.
3. If it is another server, or one that was started anew, what it holds of the run is nothing, or an
   older state that it had saved: the workers are ended, and the model of the last checkpoint, or
   that of the beginning, takes its place. What was reported by then is done, all else is not.
4. If it is the same server and keys are gone, somebody has deleted them, or the server was too full
   to keep them. It would happen again: the run ends with an error that says so.

Rejected: to look at connections alone, without asking for the instance of the server (a server
that was started anew with an old dump would be taken for the same); to keep the model's state in
the trainer (it may be larger than the memory of this machine).
"""

import logging
import time
from collections import deque
from dataclasses import replace

import numpy as np

from cirrus_runtime.keys import RunKeys
from cirrus_runtime.server import ParameterServer

from ._checkpoint import Checkpoint
from ._crew import Crew
from .exceptions import RunEnded, ServerError, ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

_MOST_LOSSES = 5  # of the server without progress between; then it is no accident


def load_slots(server, slots):
    """Load slots by name: all their values, or one for all."""
    for name, values in slots.items():
        load = server.fill if np.isscalar(values) else server.load
        load(name, values)


class LastingRun:
    """The state of a run, and how it is saved and made anew; the training is that of ``Run``.

    Parameters
    ----------
    job : TrainJob
    spec : ModelSpec
    place : Place
    n_workers : int
    checkpoints : Checkpoints
    """

    def __init__(self, job, spec, place, n_workers, checkpoints):
        self.keys = RunKeys(job.run_id)
        self.job = job
        self.spec = spec
        self.place = place
        self.server = ParameterServer(place.engine, self.keys.model)
        self.crew = Crew(place, self._fence, job, n_workers)
        self.checkpoints = checkpoints
        self._is_lost = self._is_unreachable = False
        self._restarts = 0  # of the server in this epoch
        self._losses = self._setbacks = 0  # of connections and of models, without any progress
        self._lost_since = 0.0
        self._furthest = 0  # epochs that were done, gone back to or not
        self._under_way = False  # whether a worker has the lease of a course, or it is on the board
        self._unread = deque()  # reports, beginning with those of the round that is waited for

    def tell_workers(self, options):
        """Add to the options of the job, before there are workers."""
        self.job = self.crew.job = replace(self.job, options=self.job.options | options)

    def create(self, slots, clock=None):
        """Create the model and load what is known of it: slot by name, or one value for all."""
        self._first = Checkpoint(slots, clock)
        self._create(self._first)

    def resume(self, checkpoint):
        """Create the model as a checkpoint has it, to go on from there."""
        self._first = checkpoint
        # Workers of the process that took it may live on where it could not end them.
        self.crew.generation = (checkpoint.generation // 65536 + 1) * 65536
        logger.info("run %s: goes on from epoch %d", self.keys.run_id, checkpoint.epoch + 1)
        self._create(checkpoint)

    def _fence(self, worker, generation):
        """Have the server refuse what older generations of a worker still push."""
        self.server.fence(worker, generation)

    def _check(self):
        """Raise RunEnded if a key of the run is gone."""
        self.place.board.check()
        self.server.info()

    def _reconnect(self, error):
        """Reach the server again; find out whether the model must be made anew."""
        now = time.monotonic()
        if self._losses == 0:
            self._lost_since = now
        self._losses += 1
        often = self._losses > _MOST_LOSSES and now - self._lost_since > self.job.retry_seconds
        if often or self._setbacks > _MOST_LOSSES:
            raise ServerError(f"the server was lost time and again: {error}") from error
        logger.warning("run %s: %s", self.keys.run_id, error)
        time.sleep(min(1.0, 0.02 * self._losses))  # not to be at it all the time
        self._is_unreachable = True
        same = self.place.reconnect()
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
        """Make anew what the server had, and go on with new workers."""
        self.crew.kill()
        self.place.board.take_down()
        self.place.put_up()
        self._remake()
        self.crew.restart()
        self._is_lost = False
        self._restarts += 1
        self._setbacks += 1

    def _remake(self):
        """Make the model as it was at the last checkpoint, and go back there."""
        try:
            checkpoint = self.checkpoints.last() or self._first
        except StoreError:
            checkpoint = self._first
        logger.warning("run %s goes back to epoch %d", self.keys.run_id, checkpoint.epoch + 1)
        self._create(checkpoint)
        self._go_back_to(checkpoint)

    def _create(self, checkpoint):
        """Create the model as a checkpoint has it."""
        self.server = ParameterServer(self.place.engine, self.keys.model)
        self.server.drop()
        self.server.create(self.spec, clock=checkpoint.clock)
        load_slots(self.server, checkpoint.slots)

    def _go_back_to(self, checkpoint):
        """Take the state of a checkpoint for that of the run."""
        self._epoch, self._going = checkpoint.epoch, True
        self._done, self._rounds = dict(checkpoint.reports), {}
        self._under_way = False
        self._unread.clear()
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
