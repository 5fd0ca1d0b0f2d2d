"""Tasks: what is run, what comes back, and what is not even unpickled."""

import json
import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl

from cirrus_runtime import task, task_buffers
from cirrus_runtime.errors import StoreError, TaskError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import FolderStore
from cirrus_runtime.task import run_task
from cirrus_runtime.task_format import is_signed, sign_call, sign_result

from .tasks import KEY, RUN, data_of, make_job


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing is left of other tests' runs, which have the same name."""
    monkeypatch.setattr(task, "_buffers", task_buffers.MappedBuffers())
    monkeypatch.setattr(task, "_keys", {})


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def run(store):
    """Run a call and return the result, whose signature is right and which is JSON."""

    def run(call, **options):
        result = run_task(make_job(store, call, **options), store)
        assert is_signed(result["signature"], sign_result(KEY, json.loads(json.dumps(result))))
        return result

    return run


def test_a_value_comes_back(run, store):
    result = run(lambda: {"sum": 1 + 2, "array": np.arange(3)})
    assert result["outcome"] == "value" and result["error"] is None
    value = data_of(result, store)
    assert value["sum"] == 3 and value["array"].tolist() == [0, 1, 2]
    assert (result["run_id"], result["task"], result["attempt"]) == (RUN, 0, 0)
    assert result["seconds"] >= 0 and (result["gets"], result["puts"]) == (0, 0)
    assert (result["warnings"], result["stdout"], result["stderr"]) == ([], "", "")


def test_large_arrays_are_maps_of_the_store_s_files(run, store):
    big, twice = np.arange(1000.0), np.ones(2000)

    def look():
        return big.flags.writeable, big.sum(), twice.sum(), twice is also

    also = twice
    result = run(look)
    assert data_of(result, store) == (False, big.sum(), 2000.0, True)
    assert len([name for name in store.list() if "buffer-" in name]) == 2
    # The verified are not hashed again, but their length counts even then.
    assert data_of(run(look), store)[1] == big.sum()


def test_arrays_below_a_size_can_be_written_to(run, store):
    small, large = np.zeros(200), np.zeros(300)

    def write():
        small[0] = 1.0
        return small.flags.writeable, large.flags.writeable

    for _ in range(2):  # each has a copy of its own
        assert data_of(run(write, copy_below=2400), store) == (True, False)
    ((name, _), _) = make_job(store, write)["buffers"]
    assert not np.frombuffer(store.get(RunKeys(RUN).buffer(name))).any()


def test_what_is_large_goes_through_the_store(run, store):
    payload = os.urandom(5000)
    result = run(lambda: payload[::-1], inline=1000, task=7, attempt=2)
    assert result["data"] is None and result["nbytes"] > 5000
    assert data_of(result, store) == payload[::-1]
    assert {RunKeys(RUN).call(7), RunKeys(RUN).result(7, 2)} <= set(store.list())


class Touch:
    """Unpickling it leaves a trace."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job | {"signature": "0" * 64},
        lambda job: job | {"signature": None},
        lambda job: {name: value for name, value in job.items() if name != "signature"},
        lambda job: job | {"task": 1},
        lambda job: job | {"run_id": "abd"},
        lambda job: job | {"buffers": [["0" * 32, 5]]},
        lambda job: job | {"digest": "0" * 32},
        lambda job: job | {"signature": sign_call(b"another key", job)},
    ],
)
def test_a_task_that_is_not_signed_is_not_unpickled(store, tmp_path, change):
    mark = tmp_path / "mark"
    job = make_job(store, Touch(mark))
    with pytest.raises(TaskError, match="not signed by the key of its run"):
        run_task(change(job), store)
    assert not mark.exists()
    assert run_task(job, store)["outcome"] == "error"  # None is not callable
    assert mark.exists()


def test_a_call_that_is_not_the_signed_one_is_not_unpickled(store, tmp_path):
    mark = tmp_path / "mark"
    honest = make_job(store, lambda: 1)
    other = make_job(store, Touch(mark))
    with pytest.raises(TaskError, match="not the one that was signed"):
        run_task(honest | {"body": other["body"]}, store)
    large = make_job(store, lambda: 1, inline=10)
    make_job(store, Touch(mark), inline=10)  # in the same place
    with pytest.raises(TaskError, match="not the one that was signed"):
        run_task(large, store)
    assert not mark.exists()


def test_arrays_that_were_replaced_are_refused(store):
    array = np.arange(1000.0)
    job = make_job(store, lambda: array.sum())
    name = RunKeys(RUN).buffer(job["buffers"][0][0])
    store.put(name, bytes(8000))
    with pytest.raises(TaskError, match="not what the client has put there"):
        run_task(job, store)
    store.delete([name])
    with pytest.raises(StoreError, match="no such object"):
        run_task(job, store)
    store.put(name, array.tobytes())
    assert data_of(run_task(job, store), store) == array.sum()


@pytest.mark.parametrize("error", [LookupError("no row: ä"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_its_result(run, store, error):
    def fail():
        raise error

    result = run(fail)
    assert result["outcome"] == "error"
    again = data_of(result, store)
    assert type(again) is type(error) and again.args == error.args
    assert result["error"]["type"] == f"builtins.{type(error).__name__}"
    assert result["error"]["message"] == str(error)
    trace = result["error"]["traceback"]
    assert "in fail" in trace and "task_call.py" not in trace


class Stubborn(Exception):
    def __init__(self, one, two):
        super().__init__("they are two")


def test_an_exception_that_cannot_be_unpickled_is_told_in_words(run):
    def fail():
        raise Stubborn(1, 2)

    result = run(fail)
    assert (result["data"], result["digest"], result["nbytes"]) == (None, None, 0)
    assert result["error"]["type"].endswith("Stubborn")
    assert result["error"]["message"] == "they are two"


def test_a_value_that_cannot_be_pickled_is_an_error(run, store):
    result = run(lambda: (number for number in range(3)))
    assert result["outcome"] == "error"
    assert "result of type builtins.generator cannot be pickled" in str(data_of(result, store))


def test_a_call_that_cannot_be_unpickled(store):
    module = SimpleNamespace(__name__="absent_module", call=None)
    sys.modules["absent_module"] = module

    class Call:
        __module__ = "absent_module"
        __qualname__ = "Call"

    module.Call = Call
    job = make_job(store, Call)
    del sys.modules["absent_module"]
    with pytest.raises(TaskError, match=r"No module named 'absent_module'\. All modules"):
        run_task(job, store)


def test_warnings_are_noted_whatever_the_filters(run):
    def warn():
        for _ in range(3):
            warnings.warn("it is late", DeprecationWarning, stacklevel=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("unheard", stacklevel=1)
        for number in range(200):
            warnings.warn(f"number {number}", stacklevel=1)

    result = run(warn)
    assert len(result["warnings"]) == 100
    module, name, text, file, line = result["warnings"][0]
    assert (module, name, text) == ("builtins", "DeprecationWarning", "it is late")
    # cloudpickle from 3.2 on gives what it pickles by value no file's name
    assert file in (__file__, "<dynamic-code>") and line > 0
    assert result["warnings"][1][2] == "number 0"


def test_what_is_printed_comes_back(run):
    def speak():
        print("to you: ä\ud800")
        print("to the log", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes\xff\n")

    before = sys.stdout, sys.stderr
    result = run(speak)
    assert (sys.stdout, sys.stderr) == before
    assert result["stdout"] == "to you: ä\\ud800\nbytes\ufffd\n"
    assert result["stderr"] == "to the log\n"


def test_of_much_that_is_printed_the_end_comes_back(run):
    result = run(lambda: [print(f"line {number:06d}") for number in range(20_000)] and None)
    first, *lines = result["stdout"].splitlines()
    assert first == f"[{20_000 * 12 - 65536:,} bytes before this are not kept]"
    assert lines[-1] == "line 019999"
    assert sum(len(line) + 1 for line in lines) == 65536


def test_the_environment_tells_a_call_that_it_is_a_task(run, store):
    result = run(lambda: os.environ["CIRRUS_TASK"], task=5)
    assert data_of(result, store) == f"{RUN}/5"
    assert "CIRRUS_TASK" not in os.environ


def test_threads_are_limited_for_the_call_alone(run, store):
    def count():
        return [library["num_threads"] for library in threadpoolctl.threadpool_info()]

    with threadpoolctl.threadpool_limits(2):
        assert set(data_of(run(count, threads=1), store)) == {1}
        assert max(data_of(run(count), store)) == 2


def test_differing_versions_are_named_at_once(store, monkeypatch):
    job = make_job(store, lambda: 1)
    other = job["versions"] | {"python": "3.9", "numpy": "1.26.4", "scikit-learn": "1.8.0"}
    with pytest.raises(TaskError) as caught:
        run_task(job | {"versions": other, "signature": "before it is looked at"}, store)
    text = str(caught.value)
    for name in ("python 3.9 there", "numpy 1.26.4 there", "scikit-learn 1.8.0 there", "deploy"):
        assert name in text
    assert "joblib" not in text
    with pytest.raises(TaskError, match="sklearn-cirrus is 0.0.1 and the worker's"):
        run_task(job | {"runtime": "0.0.1"}, store)
    with pytest.raises(TaskError, match="does not say which versions"):
        run_task(job | {"versions": None}, store)
    alike = job["versions"] | {"cloudpickle": job["versions"]["cloudpickle"] + ".99"}
    assert run_task(make_job(store, lambda: 1, versions=alike), store)["outcome"] == "value"


@pytest.mark.parametrize("bad", [None, 5, {}, {"kind": "train"}])
def test_what_is_no_task(bad):
    with pytest.raises(TaskError, match="the event is none"):
        run_task(bad)


@pytest.mark.parametrize(("name", "value"), [("task", "1"), ("attempt", True), ("buffers", None)])
def test_fields_of_the_wrong_type(store, name, value):
    with pytest.raises(TaskError, match=f"the task has no {name} of type"):
        run_task(make_job(store, lambda: 1) | {name: value}, store)


def test_the_key_may_lie_in_the_store(store):
    job = make_job(store, lambda: 1) | {"key": None}
    store.put(RunKeys(RUN).task_key, KEY)
    assert data_of(run_task(job, store), store) == 1
    store.delete([RunKeys(RUN).task_key])
    assert data_of(run_task(job, store), store) == 1  # it is kept for the run
