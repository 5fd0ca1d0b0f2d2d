"""Tasks on AWS Lambda: the deployed function for tasks, and its bucket."""

import os
import time
from dataclasses import dataclass

from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store

from .._aws_session import make_client
from .._cost import Meter
from .._lambda_settings import complete_for_tasks
from ..exceptions import ConfigurationError
from .task_place import TaskPlace

_CORE_MB = 1769  # for which a function gets one core; AWS: "Configure Lambda function memory"
_DISK_SHARE = 0.75  # of the function's disk for arrays; the rest is the tasks' own
_ASK_SECONDS = 60.0  # for which an answer of AWS about limits is taken as true


class LambdaPlace(TaskPlace):
    """A function and a bucket.

    Parameters
    ----------
    config : Config
    run_id : str
    key : bytes
        Signs the tasks; it lies in the bucket while the run lasts, and in no event.
    n_jobs : int
    threads : int or None
        How many threads a task's libraries may use. None: as many as the function has cores.
    deadline : float or None
        Seconds after which a function ends itself in a task.

    Raises
    ------
    ConfigurationError
        A setting is missing or cannot be used.
    WorkerError
        The function cannot be reached.
    StoreError
    """

    def __init__(self, config, run_id, key, n_jobs, *, threads=None, deadline=None):
        # Late: boto3 takes longer to import than all of the client.
        from ..workers.aws_lambda_function import LambdaFunction
        from ..workers.aws_lambda_task import LambdaTaskBackend

        config = complete_for_tasks(config)
        self._keys = RunKeys(run_id)
        function = LambdaFunction(config.task_function, n_jobs)
        try:
            meter = Meter(
                *(function.region, function.architecture, function.memory, function.tmp_size),
                *(None, config.max_cost),
            )
            self.store = open_store(config.store_url, make_client)
            self.backend = LambdaTaskBackend(function, self.store, meter, max_cost=config.max_cost)
            self.store.put(self._keys.task_key, key)
        except BaseException:
            function.close()
            raise
        self._disk_bytes = int(_DISK_SHARE * function.tmp_size) << 20
        self._deadline = deadline
        self._threads = threads or max(1, round(function.memory / _CORE_MB))

    @staticmethod
    def count_jobs(config, n_jobs):
        limit = _ask_limit(complete_for_tasks(config).task_function)
        if n_jobs < 0:
            if limit.most is None:
                raise ConfigurationError(
                    f"n_jobs={n_jobs} means as many tasks as AWS Lambda runs at the same time, and "
                    "these credentials may not ask how many: give n_jobs a number, or allow "
                    "lambda:GetFunctionConcurrency and lambda:GetAccountSettings"
                )
            return max(limit.most + 1 + n_jobs, 1)
        if limit.most is not None and n_jobs > limit.most:
            from ..workers.aws_lambda import explain_limit

            raise ConfigurationError(explain_limit("n_jobs", n_jobs, limit.source, limit.most))
        return n_jobs

    @property
    def dollars(self):
        return self.backend.dollars

    def complete(self, job):
        return job | {
            "store_url": self.store.url,
            "key": None,
            "threads": self._threads,
            "deadline": self._deadline,
            "disk_bytes": self._disk_bytes,
        }

    def close(self):
        try:
            # Functions that still run end themselves when the key is gone.
            self.store.delete([self._keys.task_key])
            self.backend.close()
        finally:
            try:
                self.store.delete_prefix(self._keys.prefix)
            finally:
                self.store.close()


@dataclass(frozen=True)
class _Limit:
    """How many invocations of a function may run at the same time, and who says so."""

    most: int | None
    source: str
    asked: float


_limits = {}


def _ask_limit(function):
    """Return the limit of a function; joblib asks for it several times in a call."""
    from ..workers.aws_lambda_function import LambdaFunction

    names = ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL_LAMBDA")
    place = (function, *map(os.environ.get, names), os.environ.get("AWS_ENDPOINT_URL"))
    limit = _limits.get(place)
    if limit is None or time.monotonic() - limit.asked > _ASK_SECONDS:
        found = LambdaFunction(function, 1)
        found.close()
        limit = _Limit(found.concurrency, found.limit_of, time.monotonic())
        _limits[place] = limit
    return limit
