"""One run of the backend: its key, its objects in the store, its workers, and what it has used.

Belongs to the dispatcher's thread.
"""

import logging
import secrets
import time

from cirrus_runtime.keys import RunKeys

from .._stages import note_usage_of_stage
from ..exceptions import CirrusError
from .buffers import Buffers
from .callbacks import CallbackSockets
from .parcels import Packer
from .results import read_outcome
from .usage import Usage, note_usage

_log = logging.getLogger(__name__)


class TaskRun:
    """A run, from its first task to the removal of its last trace.

    Parameters
    ----------
    open_place : callable
        ``open_place(run_id, key)`` gives a TaskPlace.
    copy_below : int
        See :class:`~.parcels.Packer`.
    n_jobs : int
        Tasks at the same time.
    open_journal : callable
        ``open_journal(run_id)`` gives a CallJournal.

    Attributes
    ----------
    losses, copies : int
        Kept by the dispatcher.
    journal : CallJournal
    """

    def __init__(self, open_place, copy_below, n_jobs, open_journal):
        self._n_jobs, self._started = n_jobs, time.perf_counter()
        self._keys = RunKeys(secrets.token_hex(16))
        self._key = secrets.token_bytes(32)
        self._place = open_place(self._keys.run_id, self._key)
        self._buffers = Buffers(self._place.store, self._keys)
        self._sockets = None if self._place.is_this_machine else CallbackSockets()
        self._packer = Packer(
            *(self._place.store, self._keys, self._key, self._buffers, copy_below, self._sockets)
        )
        self._tasks = self._batches = self._attempts = self._cold_starts = 0
        self._seconds = 0.0
        self.journal = open_journal(self._keys.run_id)
        self.losses = self.copies = 0

    def pack(self, number, call):
        """Return the job of a task; see :meth:`Packer.pack`."""
        self.journal.note_call(number, call)
        return self._place.complete(self._packer.pack(number, call))

    def start(self, job, attempt):
        """Start a worker on a job; return its handle.

        Raises
        ------
        WorkerError
        """
        [handle] = self._place.backend.start([job | {"attempt": attempt}])
        self._attempts += 1
        self._cold_starts += bool(handle.is_cold)
        return handle

    def read(self, report, job, attempt):
        """Return the Outcome in a worker's answer.

        Raises
        ------
        TaskError
        """
        job = job | {"attempt": attempt}
        outcome = read_outcome(report, job, self._key, self._place.store, self._keys, self._sockets)
        self._seconds += report["seconds"]
        self.journal.note_results(job["task"], outcome.value)
        return outcome

    def discard(self, job, n_tasks):
        """Free what a job has in the store; it is done, with so many tasks."""
        self._packer.discard(job)
        self._batches += n_tasks > 0
        self._tasks += n_tasks

    @property
    def _call_bytes(self):
        return self._packer.put_bytes + self._packer.sent_bytes

    def look(self, unfinished, running):
        """Tell the journal how it stands, if it is time; return whether the call is to stop.

        Parameters
        ----------
        unfinished : collection of Task
        running : collection of Attempt
        """
        if self.journal.is_due:
            self._tell(unfinished, running)
        return self.journal.is_to_stop()

    def _tell(self, unfinished=(), running=()):
        self.journal.tell(
            unfinished,
            running,
            done=self._tasks,
            relaunches=self.losses,
            copies=self.copies,
            cold_starts=self._cold_starts,
            bytes=self._buffers.put_bytes + self._call_bytes,
            worker_seconds=self._seconds,
            cost=self._place.dollars,
        )

    def close(self):
        """End what runs, remove what is in the store, and note what the run has used."""
        try:
            self._place.close()
        except CirrusError as error:
            _log.warning("run %s was not cleared away: %s", self._keys.run_id, error)
        usage = Usage(
            run_id=self._keys.run_id,
            tasks=self._tasks,
            batches=self._batches,
            attempts=self._attempts,
            lost=self.losses,
            copies=self.copies,
            seconds=self._seconds,
            buffer_bytes=self._buffers.put_bytes,
            call_bytes=self._call_bytes,
            cost=self._place.dollars,
        )
        self._tell()
        self.journal.end(usage.cost)
        note_usage(usage)
        note_usage_of_stage(
            "tuning",
            n_workers=self._n_jobs,
            tasks=usage.tasks,
            seconds=time.perf_counter() - self._started,
            worker_seconds=usage.seconds,
            cost=usage.cost,
        )
        _log.info("%s", usage)
