"""The thread that reads the pipes of all processes of a pool, and reaps them."""

import contextlib
import logging
import selectors
import socket
import threading
import time

from .base import WorkerResult
from .local_process import LocalProcess

_log = logging.getLogger("sklearn_cirrus.workers")


class PoolListener:
    """What a pool knows of its processes, and the thread that keeps it up to date.

    Parameters
    ----------
    idle_timeout, rss_limit : float, int
        As of ``WorkerPool``.
    """

    def __init__(self, idle_timeout: float, rss_limit: int):
        self._idle_timeout = idle_timeout
        self._rss_limit = rss_limit
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
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
