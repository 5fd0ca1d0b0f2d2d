"""Backend "local": jobs run in warm processes of this machine."""

import atexit
import json
import os
import threading

import joblib

from ..exceptions import WorkerError
from .base import WorkerBackend, WorkerHandle
from .pool import WorkerPool


class LocalBackend(WorkerBackend):
    """Worker processes, one job each, shared with the other fits of this process.

    Parameters
    ----------
    pool : WorkerPool, optional
        By default the one that all fits of this process share.
    timeout : float, default=600.0
        Seconds to wait for a process while other fits use them all.
    """

    name = "local"

    def __init__(self, pool: WorkerPool | None = None, *, timeout: float = 600.0):
        self._pool = pool
        self._timeout = timeout
        self._handles = []

    @property
    def default_workers(self) -> int:
        return joblib.cpu_count()

    def start(self, jobs: list[dict], timeout: float | None = None) -> list[WorkerHandle]:
        lines = [json.dumps(job).encode() + b"\n" for job in jobs]
        pool = self._pool or shared_pool()
        processes = pool.acquire(len(jobs), self._timeout if timeout is None else timeout)
        handles = [
            pool.run(process, job, line)
            for process, job, line in zip(processes, jobs, lines, strict=False)
        ]
        self._handles = [handle for handle in self._handles if handle.poll() is None] + handles
        return handles

    def close(self) -> None:
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.kill()
        for handle in handles:
            if handle.wait(10.0) is None:
                raise WorkerError(f"worker process {handle.pid} does not end after SIGKILL")


_lock = threading.Lock()
_pool: WorkerPool | None = None


def shared_pool() -> WorkerPool:
    """Give the pool of this process, which ends with it."""
    global _pool
    with _lock:
        if _pool is None or _pool.closed:
            _pool = WorkerPool()
        return _pool


@atexit.register
def _close_shared() -> None:
    """End the workers of this process."""
    with _lock:
        if _pool is not None:
            _pool.close()


def _after_fork_in_child() -> None:
    """Forget the parent's pool; its lifelines have been closed already."""
    global _lock, _pool
    _lock = threading.Lock()
    if _pool is not None:
        _pool.forget()
        _pool = None


os.register_at_fork(after_in_child=_after_fork_in_child)
