"""The warm worker processes of this process, shared by all its fits.

How it is kept together:

1. ``_lock`` guards every list below and the two fields of a process that say what it does
   (``handle``, ``idle_since``). A process is in ``_all`` from its start until it has been reaped,
   and in ``_idle`` as well while nobody has acquired it.
2. One thread, the listener, sleeps in ``select`` on all pipes of all processes. It alone reads
   them, reaps what has ended, and ends what has been idle too long: ``select`` has the time limit
   of the oldest idle process. A process that dies closes its pipes, so the death of a worker
   wakes the listener just as a result does, and nothing polls.
3. Other threads never touch the selector: they put a process on ``_newcomers`` and wake the
   listener through a pipe.
4. A process goes back to the idle ones *before* its result is published, so that who sees the
   result finds the process warm.
5. A forked child forgets the pool and starts its own (``local.py``).
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time

from ..exceptions import WorkerError
from .base import WorkerHandle, WorkerResult
from .local_process import LocalProcess

_log = logging.getLogger("sklearn_cirrus.workers")


class LocalHandle(WorkerHandle):
    """A job on a process of the pool."""

    def __init__(self, job: dict, pool: "WorkerPool", process: LocalProcess):
        super().__init__(job)
        self.pid = process.pid
        self.is_killed = False
        self._pool = pool
        self._process = process

    def kill(self) -> None:
        self._pool.kill(self._process, self)


class WorkerPool:
    """Worker processes that are started when needed and kept for the next fit.

    Parameters
    ----------
    entry : str
        Module that a worker process runs.
    idle_timeout : float
        Seconds after which an unused process is ended.
    rss_limit : int
        Bytes; a process that is bigger after a job is ended and not used again.
    """

    def __init__(
        self,
        entry: str = "cirrus_runtime.process",
        *,
        idle_timeout: float = 300.0,
        rss_limit: int = 1 << 30,
    ):
        self._entry = entry
        self._idle_timeout = idle_timeout
        self._rss_limit = rss_limit
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._cap = os.cpu_count() or 1
        self._reserved = 0
        self._all: set[LocalProcess] = set()
        self._idle: list[LocalProcess] = []  # the longest idle first
        self._newcomers: list[LocalProcess] = []
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listener = threading.Thread(
            target=self._listen, name="cirrus-worker-pool", daemon=True
        )
        self._listener.start()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` has been called."""
        return self._closed

    def acquire(self, n: int, timeout: float = 600.0) -> list[LocalProcess]:
        """Take idle processes, and new ones below the cap, for the caller alone.

        Parameters
        ----------
        n : int
            How many are wanted. The cap is the number of cores, or the largest ``n`` so far.
        timeout : float, default=600.0
            Seconds to wait when there is neither an idle process nor room for a new one.

        Returns
        -------
        list of LocalProcess
            Between 1 and ``n``. Each goes back through :meth:`run` and the end of its job, or
            through :meth:`release`.

        Raises
        ------
        WorkerError
            None became free in time, none can be started, or the pool is closed.
        """
        with self._lock:
            self._cap = max(self._cap, n)
            if not self._freed.wait_for(self._can_serve, timeout):
                raise WorkerError(
                    f"no worker process became free within {timeout:g} s: other fits of this "
                    f"process use all {self._cap}"
                )
            if self._closed:
                raise WorkerError("the pool of worker processes is closed")
            taken = [self._idle.pop() for _ in range(min(n, len(self._idle)))]
            try:
                while len(taken) < n and len(self._all) < self._cap:
                    taken.append(self._spawn())
            except WorkerError:
                if not taken:
                    raise
            return taken

    def reserve(self, n: int) -> None:
        """Make room for ``n`` processes beside those that others have made room for."""
        with self._lock:
            self._reserved += n
            self._cap = max(self._cap, self._reserved)

    def unreserve(self, n: int) -> None:
        """Take back what :meth:`reserve` did; processes end when they have been idle long."""
        with self._lock:
            self._reserved -= n

    def release(self, process: LocalProcess) -> None:
        """Give back a process that was acquired and got no job."""
        with self._lock:
            self._release(process)
        self._wake()

    def run(self, process: LocalProcess, job: dict, line: bytes) -> LocalHandle:
        """Run a job on an acquired process.

        Parameters
        ----------
        process : LocalProcess
            From :meth:`acquire`; it is the pool's again when the job has ended.
        job : dict
            The job, for its handle.
        line : bytes
            The job as a line of JSON.

        Returns
        -------
        LocalHandle
        """
        handle = LocalHandle(job, self, process)
        handle.is_cold = process.idle_since == 0.0
        with self._lock:
            is_dead = process not in self._all
            process.handle = handle
        if is_dead:  # it died between acquire and here
            handle.finish(process.death())
        else:
            process.send(line)
        return handle

    def kill(self, process: LocalProcess, handle: LocalHandle) -> None:
        """Kill the process if it still runs the job of the handle."""
        with self._lock:
            if process.handle is handle and handle.poll() is None:
                handle.is_killed = True
                process.kill()

    def close(self, timeout: float = 5.0) -> None:
        """End all processes, under their jobs too, and wait up to ``timeout`` seconds for it."""
        with self._lock:
            self._closed = True
            for process in self._all:
                if process.handle is not None:
                    process.handle.is_killed = True
                process.end()
            self._freed.notify_all()
            self._freed.wait_for(lambda: not self._all, timeout)
            for process in self._all:
                process.kill()
        self._wake()
        self._listener.join(timeout)

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        for process in self._all:
            process.forget()

    def _can_serve(self) -> bool:
        """Whether a process is idle, or a new one has room, or waiting is over."""
        return self._idle or len(self._all) < self._cap or self._closed

    def _spawn(self) -> LocalProcess:
        """Start a process; the caller holds the lock."""
        process = LocalProcess(self._entry)
        self._all.add(process)
        self._newcomers.append(process)
        self._wake()
        return process

    def _release(self, process: LocalProcess) -> None:
        """Make a process idle and tell one who waits; the caller holds the lock."""
        process.handle = None
        if process in self._all:
            process.idle_since = time.monotonic()
            self._idle.append(process)
        self._freed.notify_all()

    def _wake(self) -> None:
        """Make the listener look at its lists."""
        with contextlib.suppress(OSError):  # the pool has been closed in the meantime
            self._waker.send(b".")

    def _listen(self) -> None:
        """Serve the pipes until the pool is closed and the last process has been reaped."""
        while True:
            ready = self._selector.select(self._end_idle())
            for key, _ in ready:
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.fd in self._selector.get_map():  # not buried a moment ago
                    self._serve(key.data, key.fd)
            with self._lock:
                newcomers, self._newcomers = self._newcomers, []
                is_over = self._closed and not self._all
            for process in newcomers:
                self._selector.register(process.results, selectors.EVENT_READ, process)
                self._selector.register(process.messages, selectors.EVENT_READ, process)
            if is_over:
                break
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _end_idle(self) -> float | None:
        """End what has been idle too long; give the seconds until the next one will have been."""
        with self._lock:
            now = time.monotonic()
            while self._idle and self._idle[0].idle_since + self._idle_timeout <= now:
                self._idle.pop(0).end()
            return self._idle[0].idle_since + self._idle_timeout - now if self._idle else None

    def _serve(self, process: LocalProcess, descriptor: int) -> None:
        """Read what has come on one pipe."""
        if descriptor == process.messages:
            lines, is_open = process.read_messages()
            for line in lines:
                _log.debug("worker %d: %s", process.pid, line)
            if not is_open:
                self._selector.unregister(descriptor)
            return
        try:
            results, is_open = process.read_results()
        except ValueError:
            _log.warning("worker %d answered with something that is no JSON", process.pid)
            process.kill()
            return
        for result in results:
            self._finish(process, result)
        if not is_open:
            self._bury(process)

    def _finish(self, process: LocalProcess, result: dict) -> None:
        """Free the process and publish the result of its job."""
        with self._lock:
            handle = process.handle
            if handle is None:
                _log.warning("worker %d answered without having been asked", process.pid)
                process.kill()
                return
            if result["rss"] > self._rss_limit:
                _log.debug("worker %d is retired at %d bytes", process.pid, result["rss"])
                process.handle = None
                process.end()
            else:
                self._release(process)
        if result["ok"]:
            handle.finish(WorkerResult(ok=True, report=result["report"]))
        else:
            message = "{type}: {message}\n{traceback}".format_map(result)
            handle.finish(WorkerResult(ok=False, error_type=result["type"], error=message))

    def _bury(self, process: LocalProcess) -> None:
        """Take a process that has ended out of the pool, and fail the job that it had."""
        process.read_messages()
        for descriptor in (process.results, process.messages):
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
        process.reap()
        with self._lock:
            self._all.discard(process)
            if process in self._idle:
                self._idle.remove(process)
            handle = process.handle
            self._freed.notify_all()
        if handle is not None:
            result = process.death()
            _log.log(logging.DEBUG if handle.is_killed else logging.WARNING, "%s", result.error)
            handle.finish(result)
