"""Tasks that fail, workers that die, users who lose patience: told, ended, never waited for."""

import multiprocessing
import os
import signal
import threading
import time

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed

from sklearn_cirrus.exceptions import ConfigurationError, StoreError, TaskError, WorkerError
from sklearn_cirrus.joblib_backend import last_usage
from sklearn_cirrus.joblib_backend import parcels as parcels_module


def mark(folder, name=None):
    """Leave a file, and return how many of the kind there are."""
    kind = name or "mark"
    path = folder / f"{kind}-{os.getpid()}-{time.monotonic_ns()}"
    path.touch()
    return len(list(folder.glob(f"{kind}-*")))


def die_at_first(folder, number):
    if number == 1 and mark(folder) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return number


def crash(number):
    os._exit(3)


def test_a_task_whose_worker_is_killed_is_run_again(cirrus, tmp_path):
    results = Parallel(batch_size=1)(delayed(die_at_first)(tmp_path, i) for i in range(6))
    assert results == list(range(6))
    usage = last_usage()
    assert (usage.batches, usage.attempts, usage.lost) == (6, 7, 1)


def test_a_worker_that_others_kill(cirrus, tmp_path):
    def wait(number):
        mark(tmp_path, f"pid{number}")
        if number == 0 and len(list(tmp_path.glob("pid0-*"))) == 1:
            time.sleep(60)
        return number

    def kill():
        while not (found := list(tmp_path.glob("pid0-*"))):
            time.sleep(0.01)
        os.kill(int(found[0].name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert Parallel()(delayed(wait)(i) for i in range(3)) == [0, 1, 2]
    killer.join(10)


@pytest.mark.parametrize(("retries", "times"), [(0, 1), (1, 2)])
def test_a_task_that_kills_every_worker_is_given_up(retries, times):
    with joblib.parallel_config("cirrus", n_jobs=2, retries=retries):
        with pytest.raises(WorkerError, match=f"task 1 was lost {times} times.*SIGKILL") as raised:
            Parallel(batch_size=1)(delayed(die)(i) for i in range(4))
    assert "ran out of memory: lower n_jobs" in str(raised.value)
    assert last_usage().lost == times


def test_a_worker_that_exits_says_with_which_code():
    with joblib.parallel_config("cirrus", n_jobs=2, retries=0):
        with pytest.raises(WorkerError, match="exit code 3"):
            Parallel()(delayed(crash)(i) for i in range(2))


def test_a_task_that_takes_too_long(tmp_path):
    begin = time.monotonic()
    with joblib.parallel_config("cirrus", n_jobs=2, task_timeout=1.5):
        with pytest.raises(TimeoutError, match="task 1 .* took longer than task_timeout=1.5 s"):
            Parallel(batch_size=1)(delayed(time.sleep)(0 if i != 1 else 60) for i in range(3))
    assert time.monotonic() - begin < 10


def test_the_timeout_of_joblib(cirrus):
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.2)(delayed(time.sleep)(60) for _ in range(2))


def test_a_straggler_gets_a_second_worker(tmp_path):
    def act(number):
        if number == 3 and mark(tmp_path) == 1:
            time.sleep(60)
        return number

    with joblib.parallel_config("cirrus", n_jobs=2, speculate=True):
        assert Parallel(batch_size=1)(delayed(act)(i) for i in range(6)) == list(range(6))
    usage = last_usage()
    assert (usage.batches, usage.attempts, usage.copies, usage.lost) == (6, 7, 1, 0)


def test_workers_of_another_version(cirrus, monkeypatch):
    versions = parcels_module.read_versions() | {"numpy": "1.26.4"}
    monkeypatch.setattr(parcels_module, "read_versions", lambda: versions)
    with pytest.raises(TaskError, match="numpy.*1.26.4") as raised:
        Parallel()(delayed(abs)(i) for i in range(2))
    assert np.__version__ in str(raised.value)


def test_an_answer_that_somebody_has_changed(cirrus, monkeypatch):
    from sklearn_cirrus.joblib_backend import run as run_module

    read = run_module.read_outcome

    def change(report, *rest):
        return read(report | {"data": "", "seconds": 1.0}, *rest)

    monkeypatch.setattr(run_module, "read_outcome", change)
    with pytest.raises(TaskError, match="not signed by a worker of this run"):
        Parallel()(delayed(abs)(i) for i in range(2))


def test_a_result_in_the_store_that_somebody_has_changed(cirrus, monkeypatch):
    from cirrus_runtime.store import FolderStore

    get = FolderStore.get

    def change(self, name):
        data = get(self, name)
        return memoryview(bytes(len(data))) if "/result-" in name else data

    monkeypatch.setattr(FolderStore, "get", change)
    with pytest.raises(TaskError, match="was changed on its way"):
        Parallel()(delayed(np.zeros)(100_000) for i in range(2))


def test_a_store_that_is_full(cirrus, monkeypatch):
    from cirrus_runtime.store import FolderStore

    def refuse(self, name, data):
        raise StoreError(f"cannot write {name!r}: the disk is full")

    monkeypatch.setattr(FolderStore, "put", refuse)
    with pytest.raises(StoreError, match="the disk is full"):
        Parallel()(delayed(len)(np.zeros(100_000)) for i in range(2))


def test_a_place_that_cannot_be_opened(cirrus, monkeypatch):
    from sklearn_cirrus.joblib_backend import local_place

    def refuse(url):
        raise StoreError("no store today")

    monkeypatch.setattr(local_place, "open_store", refuse)
    with pytest.raises(StoreError, match="no store today"):
        Parallel()(delayed(abs)(i) for i in range(20))


def test_a_defect_of_the_dispatcher_fails_the_call_and_does_not_hang(cirrus, monkeypatch, caplog):
    from sklearn_cirrus.joblib_backend.dispatcher import Dispatcher

    def fail(self, attempt):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Dispatcher, "_end", fail)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        Parallel()(delayed(abs)(i) for i in range(20))
    assert "thread has failed" in caplog.text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("where", "moon"),
        ("retries", -1),
        ("retries", True),
        ("task_timeout", 0),
        ("task_timeout", float("nan")),
        ("speculate", "yes"),
    ],
)
def test_options_that_cannot_be(option, value):
    with pytest.raises(ConfigurationError, match=f"{option} must be"):
        joblib.parallel_config("cirrus", **{option: value})


def test_options_that_there_are_not(cirrus):
    with pytest.raises(TypeError, match="where, retries, task_timeout and speculate, not 'colour'"):
        Parallel(backend="cirrus", n_jobs=2, colour="red")(delayed(abs)(i) for i in range(2))
    with pytest.raises(ConfigurationError, match="mmap_mode"):
        Parallel(mmap_mode="r+")(delayed(abs)(i) for i in range(2))


def test_options_of_one_call():
    with pytest.raises(WorkerError, match="lost 1 times"):
        Parallel(n_jobs=2, backend="cirrus", retries=0)(delayed(die)(1) for _ in range(2))
