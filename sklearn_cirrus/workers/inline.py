"""Backend "inline": the job runs in a thread of this process."""

import threading
import traceback
from collections.abc import Callable

from ..exceptions import WorkerError
from .base import WorkerBackend, WorkerHandle, WorkerResult


class InlineBackend(WorkerBackend):
    """One worker, a thread: deterministic, debuggable, with nothing to start.

    Parameters
    ----------
    resources : object, optional
        Handed to ``run_worker(job, resources=resources)``: the live engine and store that a
        worker in another process would open by itself.
    cancel : callable, optional
        Called without arguments to make ``run_worker`` return soon, as a thread cannot be ended
        from outside.
    run : callable, optional
        In place of ``cirrus_runtime.worker.run_worker``.
    timeout : float, default=30.0
        Seconds that :meth:`close` gives the thread to end after ``cancel``.
    """

    name = "inline"
    default_workers = 1

    def __init__(
        self,
        resources=None,
        *,
        cancel: Callable[[], None] | None = None,
        run: Callable[..., dict] | None = None,
        timeout: float = 30.0,
    ):
        self._resources = resources
        self._cancel = cancel
        self._run = run
        self._timeout = timeout
        self._handle = None

    def start(self, jobs: list[dict], timeout: float | None = None) -> list[WorkerHandle]:
        if self._handle is not None and self._handle.poll() is None:
            raise WorkerError("the inline worker is busy: it runs one job at a time")
        run = self._run
        if run is None:
            from cirrus_runtime.worker import run_worker as run
        self._handle = InlineHandle(jobs[0], self._cancel)
        self._handle.launch(run, self._resources)
        return [self._handle]

    def close(self) -> None:
        if self._handle is None:
            return
        self._handle.kill()
        if self._handle.wait(self._timeout) is None:
            raise WorkerError(f"the inline worker did not stop within {self._timeout:g} s")
        self._handle = None


class InlineHandle(WorkerHandle):
    """A job in a thread."""

    def __init__(self, job: dict, cancel: Callable[[], None] | None):
        super().__init__(job)
        self._cancel = cancel

    def kill(self) -> None:
        if self.poll() is None and self._cancel is not None:
            self._cancel()

    def launch(self, run: Callable[..., dict], resources) -> None:
        """Start the thread."""
        threading.Thread(
            target=self._perform, args=(run, resources), name="cirrus-inline-worker", daemon=True
        ).start()

    def _perform(self, run: Callable[..., dict], resources) -> None:
        """Run the job and record how it ended."""
        try:
            result = WorkerResult(ok=True, report=run(self.job, resources=resources))
        # Whatever ends the job is its result; a thread has nobody else to tell.
        except BaseException as error:
            name = type(error).__name__
            message = f"{name}: {error}\n{traceback.format_exc()}"
            result = WorkerResult(ok=False, error_type=name, error=message)
        self.finish(result)
