"""The workers of a run: started, watched, replaced, ended.

How a worker is found to be gone, and what is done:

1. It died (a crash, SIGKILL, out of memory): its handle says so. What it held is offered anew.
2. It is frozen (SIGSTOP, a machine asleep): the board has not heard of it for ``lease_seconds``,
   while a worker that lives is heard of three times in that time, at work or waiting. It is
   killed, and then is as case 1. Should it live on, being out of reach, its pushes are refused
   from now on: the server is told that a newer generation has taken its place.
3. It stopped by itself before its deadline: a new one goes on.

A new worker is not started for ever: a place whose workers end four times while no worker of the
run reports anything, and a block that outlives no worker, end the run with an error that names it.
One that froze is forgiven sooner than one that died: it takes ten of them. What freezes a worker
is hardly ever the block (a machine asleep, a network that is down), and passes.
"""

import logging
import time
from collections import defaultdict
from dataclasses import replace

from ._growth import Growth
from .exceptions import DivergenceError, ServerError, WorkerError

logger = logging.getLogger(__name__)

_END_SECONDS = 10.0  # that workers get at most to notice that the run has ended
_START_SECONDS = 60.0  # that a worker gets to be heard of for the first time
_MOST_FAULTS = 100  # told of
_DEATH, _SILENCE = 3, 1  # how much the end of a worker counts
_MOST_ENDS = 9  # in a row, so counted, of one place or on one block: more are no accidents


class Crew:
    """The workers of one run.

    Parameters
    ----------
    place : Place
    fence : callable
        Called with (worker, generation): the server is to refuse what older generations of the
        worker still push.
    job : TrainJob
    n_workers : int
        At most; if ``place.grows``, as many as are worth it, see ``_growth.py``.
    generation : int
        Of the first workers.
    """

    def __init__(self, place, fence, job, n_workers, generation=0):
        self.place = place
        self.job = job
        self.n_workers = n_workers
        self.generation = generation  # of the next worker to start, whatever its place
        self.replaced = 0
        self.faults = []  # what befell workers, in words; the first hundred
        self._cold_starts = self._relaunches = 0
        self._heard = set()  # workers, with generations, that have reported
        self._growth = None
        self._fence = fence
        self._handles = {}
        self._killed = set()
        self._vacant = set()  # places whose workers have ended
        self.places = ()
        # Of each place since the last report of any, and on each block since its last report: how
        # much each end of a worker counts.
        self._ends = defaultdict(list)
        self._blamed = defaultdict(list)
        self._looked = time.monotonic()

    def start(self, n_blocks):
        """Start the workers: never more than there are blocks."""
        n_workers = min(self.n_workers, n_blocks)
        if self.place.grows:
            self._growth = Growth(self.job.run_id, n_workers)
            n_workers = self._growth.wanted
        self.places = range(n_workers)
        # A worker with one block has nothing to load ahead; without the thread it is quicker.
        prefetch = self.job.prefetch and n_blocks > len(self.places)
        self.job = replace(self.job, prefetch=prefetch)
        if self.generation:
            self.restart()  # workers of the process that began the run may live on
        else:
            self._launch(self.places)
        logger.debug("run %s: %d workers", self.job.run_id, len(self._handles))

    def restart(self):
        """Start all workers where the run takes place now; those before are refused."""
        for worker in self.places:
            self._fence(worker, self.generation)
        self._launch(self.places)

    def note(self, report, lease):
        """Take note of a report: workers can do their work, and this block harms none."""
        self._heard.add((report.worker, report.generation))
        self._ends.clear()
        self._blamed.pop(lease.name, None)
        if self._growth is not None:
            self._growth.note(report.worker, report.rows, time.monotonic())
            if self._growth.wanted > len(self.places):
                more = range(len(self.places), self._growth.wanted)
                self.places = range(self._growth.wanted)
                self._vacant.update(more)  # started as the places of those that have ended are

    def look_after(self, check):
        """Replace workers that are gone; give up on what will come again.

        Parameters
        ----------
        check : callable
            Raises RunEnded if the run's keys are gone.
        """
        if time.monotonic() - self._looked > self.job.lease_seconds / 4:
            self._kill_frozen()
        for worker, handle in list(self._handles.items()):
            result = handle.poll()
            if result is not None:
                self._vacate(worker, handle, result, check)
        if self._vacant:
            self._fill()

    def standing(self):
        """Return how many workers there are in which state, and how many were started, as a dict.

        ``waiting`` have no machine yet, ``starting`` have not reported yet, ``working`` have.
        ``cold_starts``, of all so far, were not warm from a fit before: on this machine alone.
        """
        counts = {"working": 0, "starting": 0, "waiting": 0}
        for worker, handle in self._handles.items():
            if (worker, handle.job["generation"]) in self._heard:
                counts["working"] += 1
            else:
                counts["waiting" if handle.began is None else "starting"] += 1
        return counts | {"cold_starts": self._cold_starts, "relaunches": self._relaunches}

    def end(self, patient):
        """End the workers; if ``patient``, they first get time to notice that the run is over."""
        patience = min(_END_SECONDS, self.job.lease_seconds) if patient else 0.0
        deadline = time.monotonic() + patience
        for handle in self._handles.values():
            handle.wait(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self):
        """End the workers now, and wait until they are gone."""
        self._handles, self._vacant = {}, set()
        self.place.backend.close()

    def _fill(self):
        """Start workers in the vacant places, as far as there are any free."""
        try:
            # While others are at work, it is better to look after them than to wait for one.
            self._launch(sorted(self._vacant), timeout=0.0 if self._handles else None)
        except WorkerError as error:
            if not self._handles:
                raise
            logger.debug("run %s: %s", self.job.run_id, error)

    def _launch(self, workers, timeout=None):
        """Start one worker for each place."""
        place = self.place
        job = place.complete(replace(self.job, generation=self.generation))
        self.generation += 1
        jobs = [replace(job, worker=worker).to_json() for worker in workers]
        for handle in place.backend.start(jobs, timeout):
            self._handles[handle.job["worker"]] = handle
            self._vacant.discard(handle.job["worker"])
            self._cold_starts += bool(handle.is_cold)

    def _kill_frozen(self):
        """Kill the workers that the board has not heard of for too long."""
        self._looked = time.monotonic()
        if not self.place.redis_urls:
            return  # a thread of this process is frozen only with the process
        silence = self.place.board.silence()
        for worker, handle in self._handles.items():
            began = handle.began
            if began is None:
                continue  # it has no machine yet
            never = self._looked - began - _START_SECONDS
            silent = silence.get((worker, handle.job["generation"]), never)
            if silent > self.job.lease_seconds and handle not in self._killed:
                logger.warning(
                    "worker %d of run %s is silent for %.1f s and is killed",
                    *(worker, self.job.run_id, silent),
                )
                self._killed.add(handle)
                handle.kill()

    def _vacate(self, worker, handle, result, check):
        """Take a worker that has ended out of its place, and give back what it held."""
        if not result.ok and result.error_type not in ("WorkerDied", "ServerUnavailable"):
            if result.error_type == "ServerError":
                check()  # a server that was started anew does not let the old workers in
            raise _failure(result)
        if result.ok and result.report["reason"] == "ended":
            check()  # most likely the keys are gone
        generation = handle.job["generation"]
        board = self.place.board
        reason = result.report["reason"] if result.ok else result.error
        names = [lease.name for lease in board.held(worker, generation)]
        logger.log(
            logging.DEBUG if result.ok else logging.WARNING,
            "worker %d of run %s is replaced: %s", *(worker, self.job.run_id, reason),
        )  # fmt: skip
        if not result.ok and len(self.faults) < _MOST_FAULTS:
            self.faults.append(f"worker {worker}: {reason.splitlines()[0][:200]}")
        self._blame(worker, names if not result.ok else (), handle in self._killed, reason)
        self._fence(worker, self.generation)
        board.reclaim(worker, generation)
        del self._handles[worker]
        self._vacant.add(worker)
        self.replaced += 1
        self._relaunches += 1

    def _blame(self, worker, names, silent, reason):
        """Count the end of a worker against its place, and the blocks that it held."""
        suspects = {f"in place {worker}": self._ends[worker]}
        suspects |= {f"on the block {name}": self._blamed[name] for name in names}
        for ends in suspects.values():
            ends.append(_SILENCE if silent else _DEATH)
        guilty = [where for where, ends in suspects.items() if sum(ends) > _MOST_ENDS]
        if guilty:
            ends = suspects[guilty[-1]]
            what = "died" if min(ends) == _DEATH else "died or froze"
            # A worker may have held a second block each time, which is to come next.
            blocks = [where for where in guilty if where.startswith("on the block ")]
            where = " or ".join(blocks or guilty)
            raise WorkerError(
                f"workers {what} {len(ends)} times in a row {where}; at last: {reason}"
            )


def _failure(result):
    """Return the exception for a worker that raised one."""
    what, _, trace = result.error.partition("\n")
    if result.error_type == "BadValueError":
        error = DivergenceError(
            "training diverged: a gradient is not a finite number; choose a smaller "
            "learning_rate or scale the data"
        )
    else:
        kind = ServerError if result.error_type == "ServerError" else WorkerError
        error = kind(f"a worker failed: {what}")
    error.add_note(trace)
    return error
