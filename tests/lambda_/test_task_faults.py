"""Tasks of joblib on the emulated Lambda while functions, connections and clients fail them."""

import signal
import subprocess
import sys
import threading
import time

import boto3
import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed

from sklearn_cirrus.emulator import FaultPlan
from sklearn_cirrus.joblib_backend import last_usage
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction, Lost

from ..redis_servers import wait_until
from .bucket import BUCKET, objects

# Starts more tasks than may run. argv: the url of the store.
CLIENT = """
import sys
import joblib, numpy as np
import sklearn_cirrus
from sklearn_cirrus import config_context

def act(array, number):
    import time
    time.sleep(2.0)
    return number

with config_context(backend="lambda", task_function="tasks", store_url=sys.argv[1]):
    with joblib.parallel_config("cirrus", n_jobs=2):
        joblib.Parallel()(joblib.delayed(act)(np.zeros(10_000), i) for i in range(50))
"""


def square(number):
    return number * number


@pytest.fixture
def warm(tasks):
    """Two functions that have started: a cold start would be taken for slowness."""
    Parallel()(delayed(time.sleep)(0.5) for _ in range(2))
    return tasks


def test_a_function_that_stands_still_is_overtaken(warm):
    warm.faults.freeze(after=0.0, seconds=4.0)
    assert Parallel(batch_size=1)(delayed(square)(i) for i in range(6)) == [0, 1, 4, 9, 16, 25]
    usage = last_usage()
    assert (usage.batches, usage.attempts, usage.copies, usage.lost) == (6, 7, 1, 0)
    # The fixture sees it thaw, and end without a trace.


def test_an_attempt_that_is_late_leaves_no_result_behind(warm, tmp_path):
    def act(number):
        if number == 3 and not (tmp_path / "begun").exists():
            (tmp_path / "begun").touch()
            time.sleep(2.7)  # its copy, which begins after 2 s, is done by then
        return np.full(10_000, number)

    arrays = Parallel(batch_size=1)(delayed(act)(i) for i in range(6))
    assert [array[0] for array in arrays] == [0, 1, 2, 3, 4, 5]
    assert last_usage().copies == 1
    wait_until(lambda: _busy(warm) == 0, "a task does not end", 30)
    # The fixture sees that there is no object.


def test_a_task_whose_connection_is_lost_is_run_again(tasks, monkeypatch, caplog):
    invoke, left = LambdaFunction.invoke, []

    def lose(function, event):
        if left:
            return invoke(function, event)
        left.append(threading.Thread(target=invoke, args=(function, event)))
        left[0].start()  # the function runs to its end all the same, and nobody hears of it
        raise Lost("the connection to a worker on AWS Lambda was lost: reset by peer")

    monkeypatch.setattr(LambdaFunction, "invoke", lose)
    large = Parallel(batch_size=1)(delayed(np.full)(10_000, i) for i in range(3))
    assert [array.tolist() for array in large] == [[i] * 10_000 for i in range(3)]
    left[0].join(30)
    usage = last_usage()
    assert (usage.batches, usage.attempts, usage.lost) == (3, 4, 1)
    assert "is run again: the connection to a worker on AWS Lambda was lost" in caplog.text


def test_requests_that_are_delivered_twice_do_no_harm(tasks, monkeypatch):
    invoke = LambdaFunction.invoke

    def twice(function, event):
        invoke(function, event)
        return invoke(function, event)

    monkeypatch.setattr(LambdaFunction, "invoke", twice)
    large = Parallel(batch_size=1)(delayed(np.full)(10_000, i) for i in range(3))
    assert [array.tolist() for array in large] == [[i] * 10_000 for i in range(3)]
    assert (last_usage().attempts, last_usage().lost) == (3, 0)


def test_a_storm(tasks):
    tasks.faults.plan = FaultPlan(
        seed=7,
        throttle=0.2,
        fail=0.1,
        kill=0.2,
        kill_seconds=(0.0, 0.0),
        delay=0.2,
        delay_seconds=(0.0, 0.3),
        freeze=0.1,
        freeze_after_seconds=(0.0, 0.0),
        freeze_seconds=(0.5, 1.5),
    )
    with joblib.parallel_config("cirrus", n_jobs=2, retries=10):
        arrays = Parallel(batch_size=1)(delayed(np.full)(10_000, i) for i in range(20))
    tasks.faults.clear()
    assert [array.tolist() for array in arrays] == [[i] * 10_000 for i in range(20)]
    usage = last_usage()
    assert usage.tasks == 20 and usage.lost >= 1
    assert usage.batches < usage.attempts <= usage.batches + usage.lost + usage.copies


def test_a_client_that_is_killed_leaves_tasks_that_end_and_objects_that_expire(tasks):
    before = len(tasks.invocations("tasks"))
    client = subprocess.Popen([sys.executable, "-c", CLIENT, f"s3://{BUCKET}/tasks"])
    try:
        wait_until(lambda: _busy(tasks) == 2 or client.poll() is not None, "two tasks run", 60)
        client.send_signal(signal.SIGKILL)
        assert client.wait(30) == -signal.SIGKILL
    finally:
        client.kill()
        client.wait()
    begun = time.time()
    wait_until(lambda: _busy(tasks) == 0, "a task does not end", 30)
    # What ran has ended by itself, and nothing was started after it.
    ended = tasks.invocations("tasks")[before:]
    assert 2 <= len(ended) < 50 and {each.outcome for each in ended} == {"ok"}
    assert all(each.start <= begun for each in ended)
    left = objects()
    (run,) = {tuple(name.split("/")[:3]) for name in left}
    assert run[:2] == ("tasks", "runs")  # of which deploy's lifecycle rule removes all
    kinds = {name.split("/")[3].partition("-")[0] for name in left}
    assert "task" in kinds and kinds <= {"task", "buffer"}
    s3 = boto3.client("s3")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in left]})
    s3.close()


def _busy(cloud):
    return sum(slot.state == "busy" for slot in cloud.slots("tasks"))
