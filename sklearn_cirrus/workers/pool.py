"""The warm worker processes of this process, shared by all its fits.

How it is kept together:

1. ``_lock`` guards every list below and the three fields of a process that say what it does
   (``handle``, ``holder``, ``idle_since``). A process is in ``_all`` from its start until it has
   been reaped, and in ``_idle`` as well while nobody has acquired it.
2. One thread, the listener (``pool_listener.py``), sleeps in ``select`` on all pipes of all
   processes. It alone reads them, reaps what has ended, and ends what has been idle too long:
   ``select`` has the time limit of the oldest idle process. A process that dies closes its pipes,
   so the death of a worker wakes the listener just as a result does, and nothing polls.
3. Other threads never touch the selector: they put a process on ``_newcomers`` and wake the
   listener through a pipe.
4. A process goes back to the idle ones *before* its result is published, so that who sees the
   result finds the process warm.
5. Who waits for a process is served after all who have waited longer: however many fits there are,
   none starves. A fit waits only while it has no worker, and is content with one; so fits that
   have workers never wait for each other.
6. A forked child forgets the pool and starts its own (``local.py``).
"""

import os
import threading
from collections import deque

from ..exceptions import WorkerError
from .local_process import LocalHandle, LocalProcess
from .pool_listener import PoolListener


class WorkerPool(PoolListener):
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
        self._cap = os.cpu_count() or 1
        self._reserved = 0
        self._turns: deque[object] = deque()  # of those who wait for a process
        super().__init__(idle_timeout, rss_limit)

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
            Seconds to wait when there is neither an idle process nor room for a new one, and no
            process has a job of another thread; for these a wait lasts as long as they do, unless
            it is 0.

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
            self._await_turn(timeout)
            if self._closed:
                raise WorkerError("the pool of worker processes is closed")
            taken = [self._idle.pop() for _ in range(min(n, len(self._idle)))]
            try:
                while len(taken) < n and len(self._all) < self._cap:
                    taken.append(self._spawn())
            except WorkerError:
                if not taken:
                    raise
            for process in taken:
                process.holder = threading.get_ident()
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

    def _await_turn(self, timeout: float) -> None:
        """Wait until a process can be had, after all who wait longer; the caller holds the lock."""
        turn = object()
        self._turns.append(turn)

        def is_served():
            return self._closed or (self._turns[0] is turn and self._can_serve())

        try:
            while not self._freed.wait_for(is_served, timeout):
                if not timeout or not self._others_work():
                    raise WorkerError(
                        f"no worker process became free within {timeout:g} s: other fits of this "
                        f"process use all {self._cap}"
                    )
        finally:
            self._turns.remove(turn)
            self._freed.notify_all()  # another is the first now

    def _can_serve(self) -> bool:
        """Whether a process is idle, or a new one has room."""
        return bool(self._idle) or len(self._all) < self._cap

    def _others_work(self) -> bool:
        """Whether a process has a job of another thread, which ends by itself."""
        me = threading.get_ident()
        return any(p.handle is not None and p.holder != me for p in self._all)

    def _spawn(self) -> LocalProcess:
        """Start a process; the caller holds the lock."""
        process = LocalProcess(self._entry)
        self._all.add(process)
        self._newcomers.append(process)
        self._wake()
        return process
