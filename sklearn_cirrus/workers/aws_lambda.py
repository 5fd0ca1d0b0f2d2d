"""Backend "lambda": every job is one invocation of a function on AWS Lambda.

Invocations are requests that are answered when the worker has ended (``RequestResponse``), each on
a thread of its own, so that ``start`` returns at once. Chosen over invocations that Lambda queues
(``Event``), because

1. the answer says how a worker ended (its result, an exception, out of memory, out of time) the
   moment it ended, with the tail of its log. Of an event, only its log would tell, seconds later;
2. a request is refused when the account's concurrency is used up. An event would wait in Lambda's
   queue for up to six hours, and start workers of runs that are long over;
3. nobody but us repeats a request. Lambda runs an event again after an error, and now and then
   twice for no reason.

The price is a thread and a socket for each worker, which both mostly sleep.

What may go wrong, and what is done:

- Refused for now (throttled, 5xx) or no connection: the same request is sent again, after a random
  time that doubles. A request that had started a worker all the same starts no second one: of two
  workers of one place and generation, the board lets in the first.
- The connection is lost after the request was sent: what has become of the worker is unknown, so
  it counts as dead. The crew fences it off and starts one of the next generation.
- A running invocation cannot be ended from outside. ``kill`` gives it up; it ends by itself when
  it finds its run gone or its place taken, at the latest at the function's time limit.
"""

import json
import logging
import threading
import time

from cirrus_runtime import __version__
from cirrus_runtime.keys import RunKeys

from ..exceptions import ConfigurationError, WorkerError
from .aws_lambda_function import Lost, Refused, Unavailable
from .aws_lambda_result import read_result
from .base import WorkerBackend, WorkerHandle, WorkerResult

_log = logging.getLogger(__name__)

_FIRST, _LONGEST = 0.1, 5.0  # seconds between two requests
_START_SECONDS = 120.0  # that Lambda may refuse all workers of a run
_SOCKET_STACK = 512 << 10  # bytes of a thread's stack: it waits for an answer and reads it
_WORKERS = 8  # when the user does not say
MOST_WORKERS = 100  # when the user leaves it to the run


class LambdaBackend(WorkerBackend):
    """Workers on AWS Lambda.

    Parameters
    ----------
    function : LambdaFunction
    store : Store
        Where the workers find their job.
    meter : Meter
        Told of every invocation.
    end_seconds : float
        How long :meth:`close` waits for workers to notice that their run has ended.
    start_seconds : float
        How long Lambda may refuse all workers.
    """

    name = "lambda"
    count = "n_workers"  # what the user calls the number of invocations at the same time

    def __init__(self, function, store, meter, *, end_seconds=35.0, start_seconds=_START_SECONDS):
        self._function = function
        self._store = store
        self._meter = meter
        self._end_seconds = end_seconds
        self._start_seconds = start_seconds
        self._handles = []
        self._job = None
        self._n_jobs = 0

    @property
    def default_workers(self) -> int:
        limit = self._function.concurrency
        return _WORKERS if limit is None else max(1, min(_WORKERS, limit))

    @property
    def most_workers(self) -> int:
        limit = self._function.concurrency
        return MOST_WORKERS if limit is None else max(1, min(MOST_WORKERS, limit))

    def check(self, n_workers: int) -> None:
        """Refuse more workers than may run at the same time.

        Raises
        ------
        ConfigurationError
        """
        limit = self._function.concurrency
        if limit is not None and n_workers > limit:
            raise ConfigurationError(
                explain_limit(self.count, n_workers, self._function.limit_of, limit)
            )

    def start(self, jobs: list[dict], timeout: float | None = None) -> list[WorkerHandle]:
        handles = []
        for job in jobs:
            handles.append(LambdaHandle(job, json.dumps(self._make_event(job)).encode(), self))
        self._handles = [handle for handle in self._handles if not handle.is_over] + handles
        before = threading.stack_size(_SOCKET_STACK)
        try:
            for handle in handles:
                handle.launch()
        except RuntimeError as error:  # can't start new thread
            raise WorkerError(
                f"this machine has no thread left to wait for a worker: {error}; lower {self.count}"
            ) from error
        finally:
            threading.stack_size(before)
        return handles

    def close(self) -> None:
        """Give up the jobs that still run, and wait until their workers have noticed.

        Workers that were given up one by one, as they had fallen silent, are not waited for.
        """
        handles, self._handles = self._handles, []
        waited = [handle for handle in handles if not handle.is_given_up]
        for handle in handles:
            handle.kill()
        deadline = time.monotonic() + self._end_seconds
        for handle in waited:
            handle.over.wait(max(0.0, deadline - time.monotonic()))
        self._function.close()
        left = sum(not handle.is_over for handle in handles)
        if left:
            _log.warning(
                "%d invocations of %s have not noticed that their run is over; they end at the "
                "function's time limit, %d s after they began, at the latest",
                *(left, self._function.name, self._function.timeout),
            )

    def _make_event(self, job: dict) -> dict:
        """Make the event of an invocation, which holds no secret."""
        return {
            "store_url": self._store.url,
            "job": self._put(job),
            "place": job["worker"],
            "generation": job["generation"],
            "runtime": __version__,
        }

    def _read(self, answer):
        """Return the result of an invocation, and the milliseconds that are charged for it."""
        return read_result(answer, self._function)

    def _put(self, job: dict) -> str:
        """Put what all workers have in common, if it is not there; return its name."""
        shared = json.dumps(job | {"worker": 0, "generation": 0}).encode()
        if shared != self._job:
            self._n_jobs += 1
            self._store.put(RunKeys(job["run_id"]).job(self._n_jobs), shared)
            self._job = shared
        return RunKeys(job["run_id"]).job(self._n_jobs)

    def _is_working(self) -> bool:
        """Whether Lambda has taken an invocation of this run and it goes on."""
        return any(h.began is not None and h.poll() is None for h in list(self._handles))


def explain_limit(name: str, wanted: int, limit_of: str, limit: int) -> str:
    """Say that more are wanted than may run at the same time."""
    return (
        f"{name}={wanted}, but {limit_of} lets {limit} run at the same time: lower {name}, or "
        "raise the limit (`sklearn-cirrus deploy --concurrency N`, or Service Quotas: Lambda, "
        "Concurrent executions)"
    )


class LambdaHandle(WorkerHandle):
    """One invocation, on a thread of its own.

    Attributes
    ----------
    began : float or None
        ``time.monotonic()`` when the request was sent that has not been refused.
    over : threading.Event
        Set when Lambda has answered, or was given up before it took the request.
    is_given_up : bool
    """

    def __init__(self, job: dict, event: bytes, backend: LambdaBackend):
        super().__init__(job)
        self.began = None
        self.over = threading.Event()
        self._event = event
        self._backend = backend
        self._lock = threading.RLock()
        self._given_up = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether there is no request under way."""
        return self.over.is_set()

    @property
    def is_given_up(self) -> bool:
        """Whether :meth:`kill` was called."""
        return self._given_up.is_set()

    def kill(self) -> None:
        self._given_up.set()
        self.finish(
            WorkerResult(ok=False, error_type="WorkerDied", error="the worker was given up")
        )

    def finish(self, result: WorkerResult) -> None:
        with self._lock:  # a worker may end in the moment in which it is given up
            if self.poll() is None:
                super().finish(result)

    def launch(self) -> None:
        """Start the thread: a daemon, for the end of this process must not wait for a worker."""
        threading.Thread(target=self._perform, name="cirrus-lambda-worker", daemon=True).start()

    def _perform(self) -> None:
        """Invoke the function and record how that ended."""
        try:
            result = self._invoke()
        except Refused as error:
            result = WorkerResult(ok=False, error_type="WorkerError", error=str(error))
        except Lost as error:
            result = WorkerResult(ok=False, error_type="WorkerDied", error=str(error))
        except Exception as error:  # a thread has nobody else to tell
            name = type(error).__name__
            result = WorkerResult(ok=False, error_type=name, error=f"{name}: {error}")
        self.over.set()
        if result is not None:
            self.finish(result)

    def _invoke(self) -> WorkerResult | None:
        """Send the request until it is taken; None if the job was given up before."""
        backend, function = self._backend, self._backend._function
        deadline = time.monotonic() + backend._start_seconds
        delay = _FIRST
        while not self.is_given_up:
            self.began = time.monotonic()
            ticket = backend._meter.begin()
            try:
                answer = function.invoke(self._event)
            except Unavailable as error:
                backend._meter.forget(ticket)
                self.began = None
                if time.monotonic() > deadline and not backend._is_working():
                    raise Refused(
                        f"AWS Lambda took no invocation of {function.name} for "
                        f"{backend._start_seconds:g} s; at last: {error}. Lower "
                        f"{backend.count}, or wait until other functions of the account have ended"
                    ) from error
                _log.debug("%s: %s", function.name, error)
                self._given_up.wait(delay * function.random.uniform(0.5, 1.5))
                delay = min(2 * delay, _LONGEST)
                continue
            except BaseException:
                backend._meter.lose(ticket)
                raise
            result, billed = backend._read(answer)
            backend._meter.end(ticket, billed, result.report)
            return result
        return None
