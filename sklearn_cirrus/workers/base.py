"""Who runs ``run_worker``: what the trainer knows of every backend."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkerResult:
    """How one job ended.

    Attributes
    ----------
    ok : bool
        Whether ``run_worker`` returned.
    report : dict
        What it returned; empty when it did not.
    error_type : str
        Name of the exception's class, or ``"WorkerDied"`` when the worker ended under the job.
    error : str
        Type, message and remote traceback, or how the worker ended and its last words.
    exit_code : int or None
        Exit code of a worker that ended, negative for the number of a signal; None for one
        that lives on.
    """

    ok: bool
    report: dict = field(default_factory=dict)
    error_type: str = ""
    error: str = ""
    exit_code: int | None = None


class WorkerHandle(ABC):
    """One job that a worker is running.

    Attributes
    ----------
    job : dict
        The job as it was given to :meth:`WorkerBackend.start`.
    began : float or None
        ``time.monotonic()`` when the worker began; None while it still waits for its turn.
    is_cold : bool or None
        Whether the worker was started for this job; None if that is not known.
    """

    def __init__(self, job: dict):
        self.job = job
        self.began: float | None = time.monotonic()
        self.is_cold: bool | None = None
        self._done = threading.Event()
        self._result = None
        self._watchers = []
        self._watch_lock = threading.Lock()

    def poll(self) -> WorkerResult | None:
        """Give the result, or None while the job runs; never blocks."""
        return self._result

    def wait(self, timeout: float | None = None) -> WorkerResult | None:
        """Give the result as soon as there is one, or None after ``timeout`` seconds."""
        self._done.wait(timeout)
        return self._result

    @abstractmethod
    def kill(self) -> None:
        """End the job now, if it still runs; the result then says so. Does not wait."""

    def watch(self, callback: Callable[["WorkerHandle"], None]) -> None:
        """Have ``callback(self)`` called when the job has ended: once, and by any thread."""
        with self._watch_lock:
            if self._result is None:
                self._watchers.append(callback)
                return
        callback(self)

    def finish(self, result: WorkerResult) -> None:
        """Record the result and wake who waits; called once, by the backend."""
        with self._watch_lock:
            self._result = result
        self._done.set()
        for callback in self._watchers:
            callback(self)


class WorkerBackend(ABC):
    """A way of running jobs on workers.

    Attributes
    ----------
    name : str
        What a user calls it: ``"local"``, ``"inline"``, ``"lambda"``.
    """

    name: str

    @property
    @abstractmethod
    def default_workers(self) -> int:
        """How many workers a fit uses when the user does not say."""

    @property
    def most_workers(self) -> int:
        """How many workers a fit may grow to when the user leaves that to it."""
        return self.default_workers

    @abstractmethod
    def start(self, jobs: list[dict], timeout: float | None = None) -> list[WorkerHandle]:
        """Start as many of the jobs, in order, as there are workers now: at least one.

        Parameters
        ----------
        jobs : list of dict
            What ``cirrus_runtime.worker.run_worker`` takes; JSON, nothing else.
        timeout : float, optional
            Seconds to wait for a worker that is free, if the backend's own limit is not meant.

        Returns
        -------
        list of WorkerHandle
            One for each job that was started: ``1 <= len(handles) <= len(jobs)``. The leases of
            the run let few workers do the work of many, so the rest need not be started; they
            may be offered again.

        Raises
        ------
        WorkerError
            No worker can be started, or none became free in time.
        """

    @abstractmethod
    def close(self) -> None:
        """End the jobs that this backend object started and that still run, and wait for it."""
