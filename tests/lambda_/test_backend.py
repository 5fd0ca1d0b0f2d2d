"""The backend alone, with functions made for the purpose: how each end of a worker is reported."""

import sys
import time

import boto3
import pytest

from cirrus_runtime import __version__
from cirrus_runtime.store_memory import MemoryStore
from sklearn_cirrus._cost import Meter
from sklearn_cirrus.exceptions import ConfigurationError, WorkerError
from sklearn_cirrus.workers import aws_lambda_function
from sklearn_cirrus.workers.aws_lambda import LambdaBackend
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction, Lost

from ..emulator.service import ROLE, RUNTIME, zipped
from ..redis_servers import wait_until

# ``generation`` of the event says what the worker is to do.
SOURCE = """
import os, signal, sys, time

def handle(event, context):
    return globals()["do_%d" % event["generation"]](event)

def do_0(event):
    return {"reason": "ended", "event": event, "pid": os.getpid(), "gets": 3}

def do_1(event):
    raise LookupError("no such row: ä")

def do_2(event):
    print("these were my last words", flush=True)
    os._exit(7)

def do_3(event):
    held = [bytearray(b"x" * (16 << 20)) for _ in range(20)]
    time.sleep(5)

def do_4(event):
    time.sleep(30)

def do_5(event):
    return ["another", "answer"]

def do_6(event):
    os.kill(os.getpid(), signal.SIGKILL)

def do_7(event):
    time.sleep(0.3)
    return {"reason": "ended"}
"""
FINE, RAISES, EXITS, FULL, LATE, ANOTHER, KILLED, SLOW = range(8)


@pytest.fixture(scope="module")
def functions(emulated):
    """Two functions of that source, one that cannot be imported, and their client."""
    client = boto3.client("lambda", endpoint_url=emulated.endpoint_url)

    def make(name, source, **settings):
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="app.handle",
            **{"Code": {"ZipFile": zipped(source)}, "MemorySize": 128, "Timeout": 3} | settings,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)

    make("plain", SOURCE)
    make("hasty", SOURCE, Timeout=1)
    make("broken", "import no_such_module")
    make("scarce", SOURCE)
    client.put_function_concurrency(FunctionName="scarce", ReservedConcurrentExecutions=2)
    yield client
    client.close()


@pytest.fixture
def make(emulator, functions, monkeypatch):
    """Make backends, closed after the test."""
    monkeypatch.setattr(aws_lambda_function, "_LEAST_TIMEOUT", 1)
    made = []

    def make(name="plain", **options):
        function = LambdaFunction(name, 8)
        meter = Meter("us-east-1", function.architecture, function.memory)
        made.append(LambdaBackend(function, MemoryStore(), meter, **options))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def job(what, worker=0):
    return {"run_id": "abc", "worker": worker, "generation": what, "secret": "in the store"}


def run(backend, what):
    """Run a job to its end."""
    (handle,) = backend.start([job(what)])
    result = handle.wait(30)
    assert result is not None and handle.poll() is result
    return result


def test_a_worker_that_returns(make):
    backend = make()
    handles = backend.start([job(FINE, worker) for worker in range(3)])
    reports = [handle.wait(30).report for handle in handles]
    assert [handle.job for handle in handles] == [job(FINE, worker) for worker in range(3)]
    assert [report["event"] for report in reports] == [
        {
            "store_url": "memory://",
            "job": "runs/abc/job-000001.json",
            "place": worker,
            "generation": FINE,
            "runtime": __version__,
        }
        for worker in range(3)
    ]
    assert backend._store.list() == ["runs/abc/job-000001.json"]  # one for all


@pytest.mark.parametrize(
    ("what", "kind", "texts"),
    [
        (RAISES, "LookupError", ["LookupError: no such row: ä\n", "in do_1", "end of its log:"]),
        (EXITS, "WorkerDied", ["exit status 7", "these were my last words", "REPORT RequestId"]),
        (FULL, "WorkerDied", ["ran out of memory (128 MB)", "deploy --memory", "REPORT"]),
        (ANOTHER, "WorkerError", ["is none of sklearn_cirrus", "another", "CIRRUS_FUNCTION"]),
        (KILLED, "WorkerDied", ["signal: killed"]),
    ],
)
def test_how_a_worker_failed(make, what, kind, texts):
    result = run(make(), what)
    assert not result.ok and result.error_type == kind and result.report == {}
    for text in texts:
        assert text in result.error
    assert run(make(), FINE).ok  # it costs the function nothing


def test_a_worker_that_runs_out_of_time(make):
    result = run(make("hasty"), LATE)
    assert not result.ok and result.error_type == "WorkerDied"
    assert result.error.startswith(
        "the worker on AWS Lambda ran into the function's time limit of 1 s\nend of its log:\n"
    )


def test_code_that_cannot_be_loaded(make):
    result = run(make("broken"), FINE)
    assert result.error_type == "WorkerError"
    assert "cannot load its code" in result.error and "no_such_module" in result.error
    assert "run `sklearn-cirrus deploy` again" in result.error


def test_refusals_for_now_are_tried_again(make, emulator):
    emulator.faults.throttle(1)
    emulator.faults.fail(1, 503)
    emulator.faults.fail(1, 500)
    backend = make()
    assert run(backend, FINE).ok
    assert backend._meter._requests == 1  # those refused cost nothing


def test_a_fleet_that_is_refused_for_good(make, emulator):
    emulator.faults.throttle(1000)
    backend = make(start_seconds=0.5)
    result = run(backend, FINE)
    assert result.error_type == "WorkerError"
    assert "took no invocation of plain for 0.5 s" in result.error
    assert "TooManyRequestsException" in result.error and "Lower n_workers" in result.error


def test_a_worker_waits_for_its_turn_while_others_work(make):
    backend = make("scarce", start_seconds=0.0)
    handles = backend.start([job(SLOW, worker) for worker in range(5)])  # two at a time
    waits = any(handle.began is None for handle in handles) or wait_until(
        lambda: any(handle.began is None for handle in handles), "all five run at once"
    )
    assert waits is not False
    results = [handle.wait(30) for handle in handles]
    assert sum(result.ok for result in results) >= 2
    assert all(result.ok or "took no invocation" in result.error for result in results)


def test_a_lost_connection_is_a_dead_worker(make, monkeypatch):
    def lose(function, event):
        raise Lost("the connection to a worker on AWS Lambda was lost: reset by peer")

    monkeypatch.setattr(LambdaFunction, "invoke", lose)
    result = run(make(), FINE)
    assert not result.ok and result.error_type == "WorkerDied" and "reset by peer" in result.error


def test_giving_up_a_worker_does_not_wait_for_it(make):
    backend = make(end_seconds=0.2)
    (handle,) = backend.start([job(LATE)])
    begin = time.monotonic()
    handle.kill()
    assert handle.poll().error_type == "WorkerDied"
    backend.close()
    assert time.monotonic() - begin < 5
    assert not handle.is_over


def test_closing_waits_until_workers_have_ended(make, emulator):
    backend = make()
    handles = backend.start([job(SLOW, worker) for worker in range(2)])
    wait_until(lambda: all(handle.began for handle in handles), "not begun")
    backend.close()
    assert all(handle.is_over for handle in handles)


def test_workers_that_do_not_end_are_told_of(make, caplog):
    backend = make(end_seconds=0.1)
    backend.start([job(LATE)])
    backend.close()
    (record,) = caplog.records[-1:]
    assert "1 invocations of plain have not noticed" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "most", "who"), [("scarce", 2, "reserved"), ("plain", 140, "acco")]
)
def test_more_workers_than_may_run(make, name, most, who):
    backend = make(name)
    backend.check(most)
    with pytest.raises(
        ConfigurationError, match=rf"n_workers={most + 1}, but the .*{who}.* {most} "
    ):
        backend.check(most + 1)
    assert backend.default_workers == min(8, most)


def test_functions_that_cannot_be_used(emulator, functions, monkeypatch):
    with pytest.raises(WorkerError, match="the function absent cannot be used: .*deploy`, or name"):
        LambdaFunction("absent", 1)
    with pytest.raises(ConfigurationError, match="limit of the function hasty is 1 s, .*--timeout"):
        LambdaFunction("hasty", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(WorkerError, match="the function plain cannot be used: Could not connect"):
        LambdaFunction("plain", 1)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="needs an AWS region: set AWS_DEFAULT_REGION"):
        LambdaFunction("plain", 1)


def test_boto3_is_not_imported_by_a_fit_elsewhere():
    import subprocess

    code = (
        "import sys, numpy as np\nfrom sklearn_cirrus import CirrusLogisticRegression\n"
        "model = CirrusLogisticRegression(backend='inline', max_iter=1, tol=None)\n"
        "model.fit(np.eye(4), [0, 1, 0, 1])\n"
        "print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
