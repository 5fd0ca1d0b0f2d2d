"""Workers of synchronous SGD on a serverless map, as a user of one would write them.

This file is added to the worker's zip, and ``ladder_driver.py`` drives it. A worker computes mean
gradients of minibatches at the model that it was given, and sends them back; the driver averages
them over the workers, and has the next model. What differs is how the two find each other:

``call``
    An invocation is one gradient: the model comes from the store, the gradient goes there.
``stay``
    One invocation for the whole run, which polls the store for the next model.
``redis``
    The same, but model and gradients go through Redis, which wakes whoever waits. The minibatches
    lie in the store as before.

It imports what the zip has and Lambda brings: numpy, redis, boto3.
"""

import io
import json
import time

import boto3
import numpy as np
import redis
from botocore.exceptions import ClientError

_POLL_SECONDS = 0.01  # between two looks at an object: looking keeps the store busy
_WAIT_SECONDS = 30  # at most, for the driver


def handle(event, context):
    """Do what the event's ``mode`` says, and return how many gradients were computed."""
    worker = _Worker(event)
    if event["mode"] == "call":
        worker.put_gradients(event["step"], worker.get_model()[1])
    elif event["mode"] == "stay":
        worker.stay()
    else:
        worker.stay_with_redis()
    return {"gradients": worker.gradients}


_s3 = boto3.client("s3")  # the next invocation of this process finds it here


class _Worker:
    """One worker.

    Parameters
    ----------
    event : dict
        ``bucket``; ``prefix`` of the names of this run; ``worker`` and ``n_workers``; ``data``,
        the prefix of the objects that hold the rows, and how many ``objects`` there are;
        ``each``: how many minibatches an object is; ``redis_url``.
    """

    def __init__(self, event):
        self.event = event
        self.gradients = 0

    def stay(self):
        """Wait for one model after the other in the store, until an empty one says the end."""
        poll = Poll(_s3, self.event["bucket"], self.event["prefix"] + "model")
        while model := poll.wait(_WAIT_SECONDS):
            step, weights = unpack_model(model)
            self.put_gradients(step, weights)

    def stay_with_redis(self):
        """Wait for one step after the other in Redis, until a negative one says the end."""
        event = self.event
        with redis.Redis.from_url(event["redis_url"]) as client:
            while True:
                woken = client.blpop(f"{event['prefix']}todo-{event['worker']}", _WAIT_SECONDS)
                if woken is None or int(woken[1]) < 0:
                    return
                step, weights = unpack_model(client.get(event["prefix"] + "model"))
                gradients = pack(step, event["worker"], self.compute(step, weights))
                client.rpush(event["prefix"] + "done", gradients)

    def get_model(self):
        """Return the step and the weights that lie in the store."""
        return unpack_model(_get(self.event["bucket"], self.event["prefix"] + "model"))

    def put_gradients(self, step, weights):
        """Compute the gradients of a step and put them into the store."""
        event = self.event
        _s3.put_object(
            Bucket=event["bucket"],
            Key=f"{event['prefix']}gradient-{event['worker']}",
            Body=pack(step, event["worker"], self.compute(step, weights)),
        )

    def compute(self, step, weights):
        """Return this worker's gradients of a step: those of the minibatches of one object."""
        event = self.event
        number = (step * event["n_workers"] + event["worker"]) % event["objects"]
        rows = np.load(io.BytesIO(_get(event["bucket"], f"{event['data']}{number}")))
        batches = np.array_split(rows, event["each"])
        self.gradients += len(batches)
        return [gradient(weights, batch) for batch in batches]


def _get(bucket, key):
    """Return an object of the store."""
    return _s3.get_object(Bucket=bucket, Key=key)["Body"].read()


class Poll:
    """Waits until an object of the store has changed.

    Parameters
    ----------
    client : boto3 client
    bucket, key : str
    """

    def __init__(self, client, bucket, key):
        self._client, self._where = client, {"Bucket": bucket, "Key": key}
        self._seen = {}

    def wait(self, seconds):
        """Return what the object has become.

        Raises
        ------
        TimeoutError
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                answer = self._client.get_object(**self._where, **self._seen)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("304", "NoSuchKey", "404"):
                    raise
                time.sleep(_POLL_SECONDS)
                continue
            self._seen = {"IfNoneMatch": answer["ETag"]}
            return answer["Body"].read()
        raise TimeoutError(f"{self._where['Key']} has not changed for {seconds:g} s")


def gradient(weights, batch):
    """Return the mean gradient of the logistic loss over a minibatch.

    Parameters
    ----------
    weights : float32 array of shape (n_features + 1,)
        The intercept last.
    batch : uint32 array of shape (n_rows, 1 + n)
        Label and columns, all of value one.

    Returns
    -------
    ids : uint32 array of shape (n_ids,)
        Where it is not zero.
    values : float32 array of shape (n_ids,)
    """
    labels, columns = batch[:, 0], batch[:, 1:]
    margins = weights[columns].sum(axis=1) + weights[-1]
    slopes = (1.0 / (1.0 + np.exp(-margins)) - labels) / len(labels)
    ids, places = np.unique(columns, return_inverse=True)
    values = np.bincount(places.ravel(), np.repeat(slopes, columns.shape[1]))
    ids = np.append(ids, len(weights) - 1).astype(np.uint32)
    return ids, np.append(values, slopes.sum()).astype(np.float32)


def pack_model(step, weights):
    """Return a model as bytes."""
    return np.uint32(step).tobytes() + weights.tobytes()


def unpack_model(data):
    """Return step and weights."""
    return int(np.frombuffer(data, np.uint32, 1)[0]), np.frombuffer(data, np.float32, offset=4)


def pack(step, worker, gradients):
    """Return the gradients of a worker as bytes: only what is not zero travels."""
    head = json.dumps([step, worker, [len(ids) for ids, _ in gradients]]).encode()
    arrays = [array.tobytes() for pair in gradients for array in pair]
    return b"".join([head, b"\n", *arrays])


def unpack(data):
    """Return step, worker and gradients."""
    head, _, rest = bytes(data).partition(b"\n")
    step, worker, sizes = json.loads(head)
    gradients, place = [], 0
    for size in sizes:
        ids = np.frombuffer(rest, np.uint32, size, place)
        values = np.frombuffer(rest, np.float32, size, place + 4 * size)
        gradients.append((ids, values))
        place += 8 * size
    return step, worker, gradients
