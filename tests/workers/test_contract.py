"""What the trainer relies on, over every backend: a thread, processes, and an emulated Lambda."""

import json
import threading

import boto3
import pytest

from cirrus_runtime.store import open_store
from sklearn_cirrus._cost import Meter
from sklearn_cirrus.emulator import LambdaEmulator
from sklearn_cirrus.workers import InlineBackend, LocalBackend
from sklearn_cirrus.workers.aws_lambda import LambdaBackend
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction

from ..emulator.service import ROLE, RUNTIME, zipped

JOBS = """
import os

def do_say(job):
    return {"reason": "ended", "said": job["say"]}

def do_raise(job):
    raise LookupError("no such row: ä")

def do_wait(job):
    # In a thread, until it is cancelled.
    job["cancelled"].wait(30) if "cancelled" in job else __import__("time").sleep(30)
    return {"reason": "ended"}

def do_die(job):
    os._exit(3)

def perform(job):
    return globals()["do_" + job["do"]](job)
"""
ENTRY = JOBS + "\n\nif __name__ == '__main__':\n    from cirrus_runtime.process import serve\n"
ENTRY += "    serve(lambda: perform)\n"
HANDLER = """
import json
import app_jobs
from urllib.parse import urlsplit

def handle(event, context):
    with open(urlsplit(event["store_url"]).path + "/" + event["job"]) as file:
        return app_jobs.perform(json.load(file))
"""


@pytest.fixture(scope="module")
def functions():
    with LambdaEmulator() as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        client = boto3.client("lambda")
        code = {"ZipFile": zipped(HANDLER, **{"app_jobs.py": JOBS})}
        client.create_function(
            FunctionName="jobs",
            Runtime=RUNTIME,
            Role=ROLE,
            Code=code,
            Handler="app.handle",
            Timeout=10,
        )
        client.get_waiter("function_active_v2").wait(FunctionName="jobs")
        client.close()
        yield


@pytest.fixture(params=["inline", "local", "lambda"])
def backend(request, tmp_path, monkeypatch):
    if request.param == "inline":
        scope, cancelled = {}, threading.Event()
        exec(JOBS, scope)

        def run(job, resources):
            return scope["perform"](job | {"cancelled": cancelled})

        backend = InlineBackend(run=run, cancel=cancelled.set)
    elif request.param == "local":
        (tmp_path / "contract_jobs.py").write_text(ENTRY)
        monkeypatch.syspath_prepend(tmp_path)
        from sklearn_cirrus.workers.pool import WorkerPool

        pool = WorkerPool("contract_jobs")
        request.addfinalizer(pool.close)
        backend = LocalBackend(pool)
    else:
        request.getfixturevalue("functions")
        meter = Meter("us-east-1", "x86_64", 128)
        store = open_store(tmp_path.as_uri())
        backend = LambdaBackend(LambdaFunction("jobs", 4), store, meter, end_seconds=0.1)
    yield backend
    backend.close()


def job(do, worker=0, **more):
    return {"run_id": "abc", "worker": worker, "generation": 0, "do": do, **more}


def test_a_job_comes_back(backend):
    (handle,) = backend.start([job("say", say="ä \u2028")])
    result = handle.wait(30)
    assert result.ok and result.error == "" and result.report["said"] == "ä \u2028"
    assert handle.poll() is result and handle.job == job("say", say="ä \u2028")
    json.dumps(result.report)


def test_as_many_start_as_there_are_workers(backend):
    jobs = [job("say", worker, say=1) for worker in range(3)]
    handles = backend.start(jobs)
    assert 1 <= len(handles) <= 3
    assert [handle.job for handle in handles] == jobs[: len(handles)]
    assert all(handle.wait(30).ok for handle in handles)


def test_an_exception_comes_back_with_type_message_and_place(backend):
    (handle,) = backend.start([job("raise")])
    result = handle.wait(30)
    assert not result.ok and result.report == {} and result.error_type == "LookupError"
    assert result.error.startswith("LookupError: no such row: ä\n")
    assert "in do_raise" in result.error
    (again,) = backend.start([job("say", say=2)])
    assert again.wait(30).ok


def test_a_death_is_told_from_an_exception(backend):
    if backend.name == "inline":
        pytest.skip("a thread dies with its process alone")
    (handle,) = backend.start([job("die")])
    result = handle.wait(30)
    assert not result.ok and result.error_type == "WorkerDied"
    (again,) = backend.start([job("say", say=2)])
    assert again.wait(30).ok


def test_a_job_that_is_killed_has_a_result_soon(backend):
    (handle,) = backend.start([job("wait")])
    assert handle.wait(0.2) is None and handle.poll() is None
    handle.kill()
    result = handle.wait(10)
    assert result is not None
    handle.kill()
    assert handle.poll() is result


def test_closing_ends_what_runs(backend):
    (handle,) = backend.start([job("wait")])
    backend.close()
    assert handle.poll() is not None
    backend.close()


def test_there_is_a_number_of_workers_to_begin_with(backend):
    assert backend.default_workers >= 1 and backend.name in ("inline", "local", "lambda")
