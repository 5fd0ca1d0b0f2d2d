"""The driver of synchronous SGD on a serverless map, one rung of ``lambda_ladder.py`` at a time.

Every update is a round: the driver publishes the model, each worker sends the mean gradient of a
minibatch at that model, the driver averages these and takes one step of AdaGrad. Workers are
``ladder_handler.py`` in a function. With ``each`` above one, a worker sends that many gradients of
as many minibatches, all at the same model; the driver averages the first ones, the second ones and
so on, and takes a step for each.
"""

import io
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from emulated_cloud import BUCKET
from ladder_channels import CHANNELS
from ladder_handler import pack_model, unpack

FILES = ("ladder_handler.py",)
HANDLER = "ladder_handler.handle"
_INVOCATION_SECONDS = 360  # at most, of one


@dataclass(frozen=True)
class Rung:
    """A way to do it.

    Attributes
    ----------
    name : str
    mode : {"call", "stay", "redis"}
        As in ``ladder_handler.py``.
    each : int
        Gradients of a worker in a round.
    """

    name: str
    mode: str
    each: int = 1


@dataclass
class Course:
    """What a run did, over time.

    Attributes
    ----------
    samples : list of (seconds, updates, weights)
        Seconds since the run began; weights of shape (n_features + 1,), the intercept last.
    updates, gradients : int
    seconds : float
        Of the whole run, the start of the workers included.
    steady : float
        Updates a second after the first round.
    stages : dict of str to float
        Seconds by what was done: of the driver, or of our workers, the mean of them.
    first : float or None
        Seconds from the beginning to the first update, of ours.
    rows, later_rows : float
        Rows a second, of ours: of the whole fit, and of the epochs after the first.
    """

    samples: list
    updates: int = 0
    gradients: int = 0
    seconds: float = 0.0
    steady: float = 0.0
    stages: dict | None = None
    first: float | None = None
    rows: float | None = None
    later_rows: float | None = None


def sample_times():
    """Yield the seconds at which a model is kept: ever further apart, as losses fall."""
    at = 0.05
    while True:
        yield at
        at += max(0.05, 0.1 * at)


def put_rows(cloud, X, y, prefix, size):
    """Put the rows into the store, labels beside columns, so many to an object.

    Returns
    -------
    int
        How many objects there are.
    """
    columns = X.indices.reshape(len(y), -1).astype(np.uint32)
    rows = np.column_stack([y.astype(np.uint32), columns])
    firsts = range(0, len(y) - size + 1, size)

    def put(number):
        body = io.BytesIO()
        np.save(body, rows[firsts[number] : firsts[number] + size])
        cloud.s3.put_object(Bucket=BUCKET, Key=f"{prefix}{number}", Body=body.getvalue())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(len(firsts))))
    return len(firsts)


class Driver:
    """Runs rungs.

    Parameters
    ----------
    cloud : EmulatedCloud
    function : str
        Name of the function that has the handler.
    n_features, n_workers : int
    data : dict of int to (str, int)
        By the number of minibatches in an object: prefix of their names, and how many there are.
    rate, eps : float
        Of AdaGrad.
    """

    def __init__(self, cloud, function, n_features, n_workers, data, rate, eps):
        import boto3
        from botocore.config import Config

        self.cloud, self.function, self.n_workers = cloud, function, n_workers
        self.n_features, self.data, self.rate, self.eps = n_features, data, rate, eps
        self._invoker = boto3.client(
            "lambda",
            config=Config(
                max_pool_connections=max(10, n_workers),
                retries={"total_max_attempts": 1},
                read_timeout=_INVOCATION_SECONDS,
            ),
        )
        self._numbers = itertools.count()

    def close(self):
        """Close the connections."""
        self._invoker.close()

    def run(self, rung, seconds):
        """Train for some seconds and return the course."""
        prefix = f"ladder-{next(self._numbers)}/"
        with ThreadPoolExecutor(self.n_workers) as threads:
            channel = CHANNELS[rung.mode](self, rung, prefix, threads)
            try:
                return self._train(channel, rung, seconds)
            finally:
                channel.close()
                self.cloud.empty(prefix)

    def _train(self, channel, rung, seconds):
        """Take step after step."""
        weights = np.zeros(self.n_features + 1, np.float32)
        squares = np.zeros_like(weights)
        course = Course(samples=[(0.0, 0, weights.copy())], stages={})
        times = sample_times()
        next_time = next(times)
        stages = {"publish": 0.0, "wait": 0.0, "update": 0.0}
        began = time.perf_counter()
        first = None
        for step in itertools.count():
            start = time.perf_counter()
            channel.publish(step, pack_model(step, weights))
            published = time.perf_counter()
            answers = [unpack(data) for data in channel.collect()]
            got = time.perf_counter()
            if any(answer[0] != step for answer in answers):
                raise RuntimeError(f"a worker answered step {answers} in step {step}")
            for together in zip(*(gradients for _, _, gradients in answers), strict=True):
                self._update(weights, squares, together)
            now = time.perf_counter()
            stages["publish"] += published - start
            stages["wait"] += got - published
            stages["update"] += now - got
            course.updates += rung.each
            course.gradients += rung.each * self.n_workers
            course.seconds = now - began
            first = first or now
            if course.seconds >= next_time or course.seconds >= seconds:
                course.samples.append((course.seconds, course.updates, weights.copy()))
                while next_time <= course.seconds:
                    next_time = next(times)
            if course.seconds >= seconds and course.updates > rung.each:
                break
        course.steady = (course.updates - rung.each) / (now - first)
        course.stages = stages
        return course

    def _update(self, weights, squares, gradients):
        """Average the workers' gradients and take a step."""
        ids = np.concatenate([ids for ids, _ in gradients])
        values = np.concatenate([values for _, values in gradients])
        ids, places = np.unique(ids, return_inverse=True)
        mean = np.bincount(places, values).astype(np.float32) / self.n_workers
        squares[ids] += mean * mean
        weights[ids] -= self.rate * mean / (np.sqrt(squares[ids]) + self.eps)

    def event(self, rung, prefix, worker):
        """Return what a worker is told."""
        data, objects = self.data[rung.each]
        return {
            "mode": rung.mode,
            "bucket": BUCKET,
            "prefix": prefix,
            "worker": worker,
            "n_workers": self.n_workers,
            "data": data,
            "objects": objects,
            "each": rung.each,
            "redis_url": self.cloud.redis_url,
        }

    def invoke(self, event):
        """Invoke the function and wait for its end."""
        answer = self._invoker.invoke(FunctionName=self.function, Payload=json.dumps(event))
        payload = answer["Payload"].read()
        if "FunctionError" in answer:
            raise RuntimeError(f"a worker failed: {payload.decode()}")
