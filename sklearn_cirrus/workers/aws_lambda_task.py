"""Tasks on AWS Lambda: an attempt of a task is an invocation of the function for tasks.

Everything that :mod:`.aws_lambda` says of workers holds, but that

- the event is the job itself: the signed pickle of the call, if it is small, and the names and
  digests of arrays that lie in the store. The key that signs is not in it;
- no board fences off a task that was given up or whose connection was lost: whichever attempt
  answers first counts, and the answer of another is passed over. The function looks every few
  seconds whether the key of its run is still in the store, and ends itself if not.
"""

from ..exceptions import WorkerError
from .aws_lambda import LambdaBackend
from .aws_lambda_result import TASK, read_result
from .base import WorkerHandle

_END_SECONDS = 8.0  # a function has noticed by then that its run is over


class LambdaTaskBackend(LambdaBackend):
    """Tasks on AWS Lambda.

    Parameters
    ----------
    function : LambdaFunction
    store : Store
    meter : Meter
    max_cost : float or None
        US dollars; when they are spent, no more tasks are started.
    """

    count = "n_jobs"

    def __init__(self, function, store, meter, *, max_cost=None, **seconds):
        super().__init__(function, store, meter, **{"end_seconds": _END_SECONDS} | seconds)
        self._max_cost = max_cost

    def start(self, jobs: list[dict], timeout: float | None = None) -> list[WorkerHandle]:
        if self._max_cost is not None and self.dollars >= self._max_cost:
            raise WorkerError(
                f"the tasks have cost max_cost={self._max_cost:g} US dollars: no more are started; "
                "raise max_cost (CIRRUS_MAX_COST), or have fewer or shorter tasks"
            )
        return super().start(jobs, timeout)

    @property
    def dollars(self) -> float:
        """What this backend's tasks and this process's requests to the store have cost so far."""
        return self._meter.dollars(self._store.requests)

    def _make_event(self, job: dict) -> dict:
        return job

    def _read(self, answer):
        return read_result(answer, self._function, TASK)
