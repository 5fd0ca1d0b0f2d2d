"""Tasks of joblib on the emulated Lambda.

``task_cloud.py`` has the functions; ``test_task_faults.py`` disturbs them.
"""

import base64
import json
import os
import signal
import threading
import time
from contextvars import copy_context

import boto3
import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_cirrus import config_context
from sklearn_cirrus._journal import command
from sklearn_cirrus.exceptions import ConfigurationError, TaskError, WorkerError
from sklearn_cirrus.joblib_backend import lambda_place, last_usage, parcels
from sklearn_cirrus.workers import aws_lambda_function
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction

from ..redis_servers import wait_until


def where(number=0):
    return number, os.getpid(), os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def test_a_search_gives_what_it_gives_here(tasks, events):
    X, y = load_iris(return_X_y=True)
    X = np.tile(X, (20, 1))  # 94 kB
    y = np.tile(y, 20)

    def search():
        grid = {"C": [0.01, 1.0, 100.0]}
        return GridSearchCV(LogisticRegression(max_iter=500), grid, cv=2, verbose=0)

    with joblib.parallel_config("sequential"):
        here = search().fit(X, y)
    there = search().fit(X, y)
    for name in ("mean_test_score", "rank_test_score"):
        assert there.cv_results_[name].tolist() == here.cv_results_[name].tolist()
    usage = last_usage()
    assert usage.tasks == 6 and usage.lost == 0
    # X, and at most y and the rows of each fold beside it: once, not once for each task.
    assert X.nbytes <= usage.buffer_bytes < 2 * X.nbytes
    assert 0 < usage.cost < 0.01
    assert len(events) == usage.attempts


def test_the_key_is_in_no_event_no_answer_and_no_log(tasks, events, monkeypatch, caplog):
    keys, seen = [], []
    place, invoke = lambda_place.LambdaPlace.__init__, LambdaFunction.invoke

    def note_key(self, config, run_id, key, *args, **options):
        keys.append(key)
        place(self, config, run_id, key, *args, **options)

    def note_answer(function, event):
        answer = invoke(function, event)
        seen.append(repr(answer))
        return answer

    monkeypatch.setattr(lambda_place.LambdaPlace, "__init__", note_key)
    monkeypatch.setattr(LambdaFunction, "invoke", note_answer)
    caplog.set_level(1)
    results = Parallel()(delayed(where)(number) for number in range(2))
    assert [number for number, _, _ in results] == [0, 1]
    assert {name for _, _, name in results} == {"tasks"}
    (key,) = keys
    assert len(events) == len(seen) == 2 and all('"key": null' in event for event in events)
    seen += events + [record.getMessage() + repr(record.args) for record in caplog.records]
    for shape in (key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1]):
        assert not any(shape in text for text in seen)


def test_what_a_task_raises_is_raised_here(tasks):
    def fail(number):
        print("before it failed")
        raise LookupError(f"no row {number}")

    with pytest.raises(LookupError, match="no row [01]") as caught:
        Parallel()(delayed(fail)(number) for number in range(2))
    assert "in fail" in str(caught.value.__cause__)


def test_refusals_for_now_are_waited_for(tasks):
    tasks.faults.throttle(3)
    tasks.faults.fail(2, 500)
    assert len(Parallel()(delayed(where)() for _ in range(3))) == 3
    assert last_usage().lost == 0


def test_tasks_whose_function_dies_are_run_again(tasks, caplog, tmp_path):
    tasks.faults.kill(after=0.2, n=1)
    with config_context(journal=str(tmp_path)):
        values = Parallel()([delayed(time.sleep)(0.5) for _ in range(3)])
    assert values == [None] * 3
    usage = last_usage()
    assert usage.lost == 1 and usage.attempts == usage.batches + 1
    assert "is run again: the task on AWS Lambda ended: " in caplog.text
    (path,) = tmp_path.iterdir()  # the journal of the call
    start, *states, end = map(json.loads, path.read_text().splitlines())
    assert start["settings"]["backend"] == "lambda"
    (fault,) = [fault for state in states for fault in state["faults"]]
    assert fault.startswith("task ") and "the task on AWS Lambda ended" in fault
    assert states[-1]["relaunches"] == 1
    assert [states[-1][name] for name in ("done", "total", "running", "queued")] == [3, 3, 0, 0]
    # What is under way counts with the time since its request, until Lambda has said what it bills,
    # which is less: so costs may fall a little.
    costs = [state["cost"] for state in states]
    assert 0 < costs[0] < costs[-1] <= end["cost"] == usage.cost


def test_a_call_is_stopped_from_the_dashboard(tasks, tmp_path):
    raised = []

    def call():
        with pytest.raises(TaskError, match="the call was stopped from the dashboard") as caught:
            # joblib's settings are the thread's own.
            Parallel(n_jobs=2, backend="cirrus")(delayed(time.sleep)(30) for _ in range(4))
        raised.append(caught.value)

    with config_context(journal=str(tmp_path)):
        thread = threading.Thread(target=copy_context().run, args=(call,), daemon=True)
        thread.start()
    wait_until(lambda: any(slot.state == "busy" for slot in tasks.slots()), "none has begun", 30)
    wait_until(lambda: list(tmp_path.glob("*.jsonl")), "there is no journal", 30)
    (path,) = tmp_path.iterdir()
    command(tmp_path, path.stem, command="stop")
    thread.join(20)
    assert not thread.is_alive() and len(raised) == 1
    assert json.loads(path.read_text().splitlines()[-1])["reason"] == "stopped"


def test_a_task_that_needs_more_memory_is_told_of(tasks):
    def fill():
        return sum(bytearray(b"x" * (700 << 20))[:: 1 << 20])

    with pytest.raises(WorkerError) as caught:
        Parallel()(delayed(fill)() for _ in range(2))
    text = str(caught.value)
    assert "lost 2 times: the task on AWS Lambda ran out of memory (512 MB)" in text
    assert "`sklearn-cirrus deploy --memory MB` with more" in text


def test_a_task_that_meets_the_time_limit_is_told_of(tasks, monkeypatch):
    monkeypatch.setattr(aws_lambda_function, "_LEAST_TIMEOUT", 1)
    with config_context(task_function="hasty-tasks"), pytest.raises(TaskError) as caught:
        Parallel()(delayed(time.sleep)(30) for _ in range(2))
    text = "time limit of 2 s: run `sklearn-cirrus deploy --timeout SECONDS` with more"
    assert text in str(caught.value)


def test_a_task_with_a_time_limit_of_its_own_ends_itself(tasks):
    begin = time.monotonic()
    with (
        joblib.parallel_config("cirrus", n_jobs=2, task_timeout=1.5),
        pytest.raises(TimeoutError, match="longer than task_timeout=1.5 s"),
    ):
        Parallel()(delayed(time.sleep)(50) for _ in range(2))
    assert time.monotonic() - begin < 20
    # The fixture holds the functions to have ended before their 50 seconds.


@pytest.fixture
def interrupts():
    """Python's own handler: jobs that a shell runs in the background begin with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_runs_ends_soon_after_an_interrupt(tasks, interrupts):
    here = threading.main_thread().ident
    timer = threading.Timer(2.0, signal.pthread_kill, (here, signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Parallel()(delayed(time.sleep)(50) for _ in range(4))
    assert time.monotonic() - begin < 20
    # The fixture holds the functions to have ended before their 50 seconds.


@pytest.fixture
def two_at_a_time(cloud, task_functions):
    """Let two tasks run at the same time; the account has the rest again afterwards."""
    client, name = boto3.client("lambda"), {"FunctionName": "hasty-tasks"}
    client.put_function_concurrency(**name, ReservedConcurrentExecutions=2)
    yield
    client.delete_function_concurrency(**name)
    client.close()


def test_more_jobs_than_may_run(tasks, two_at_a_time, monkeypatch):
    monkeypatch.setattr(aws_lambda_function, "_LEAST_TIMEOUT", 1)
    with config_context(task_function="hasty-tasks"):
        assert joblib.effective_n_jobs(-1) == 2
        with pytest.raises(ConfigurationError, match="n_jobs=3, but the reserved .* lets 2 run"):
            Parallel(n_jobs=3)(delayed(where)() for _ in range(3))
    with pytest.raises(ConfigurationError, match="n_jobs=500, but the concurrency of the account"):
        Parallel(n_jobs=500)(delayed(where)() for _ in range(3))


def test_other_versions_are_named_at_once(tasks, monkeypatch):
    ours = parcels.read_versions()
    monkeypatch.setattr(parcels, "read_versions", lambda: ours | {"scikit-learn": "0.24.2"})
    with pytest.raises(TaskError, match=r"scikit-learn 0\.24\.2 there and .* here.*deploy"):
        Parallel()(delayed(where)() for _ in range(2))
    assert last_usage().attempts <= 2


def test_no_more_is_spent_than_allowed(tasks):
    with (
        config_context(max_cost=1e-9),
        pytest.raises(WorkerError, match=r"cost max_cost=1e-09 US dollars: no more are started"),
    ):
        Parallel()(delayed(where)() for _ in range(2))


def test_settings_that_cannot_be(tasks):
    for settings, text in (
        ({"store_url": "file:///tmp/nowhere"}, "needs a store that functions reach"),
        ({"task_function": None}, "needs task_function .CIRRUS_TASK_FUNCTION., and there is no"),
    ):
        with config_context(**settings), pytest.raises(ConfigurationError, match=text):
            Parallel()(delayed(where)() for _ in range(2))
    with config_context(task_function="absent"), pytest.raises(WorkerError, match="deploy"):
        Parallel()(delayed(where)() for _ in range(2))
