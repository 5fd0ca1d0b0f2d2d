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
_pools: dict[str, WorkerPool] = {}


def shared_pool() -> WorkerPool:
    """Give the pool for fits of this process, which ends with it."""
    return _pool_of("cirrus_runtime.process")


def task_pool() -> WorkerPool:
    """Give the pool for joblib's tasks, which ends with this process."""
    return _pool_of("cirrus_runtime.task_process")


def _pool_of(entry: str) -> WorkerPool:
    """Give the pool of this process whose workers run a module."""
    with _lock:
        if entry not in _pools or _pools[entry].closed:
            _pools[entry] = WorkerPool(entry)
        return _pools[entry]


@atexit.register
def _close_shared() -> None:
    """End the workers of this process."""
    with _lock:
        for pool in _pools.values():
            pool.close()


def _after_fork_in_child() -> None:
    """Forget the parent's pools; their lifelines have been closed already."""
    global _lock
    _lock = threading.Lock()
    for pool in _pools.values():
        pool.forget()
    _pools.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
