"""Exceptions of tasks, and what cannot be pickled: told where the call was made."""

import os
import pickle
import threading
import time

import pytest
from joblib import Parallel, delayed

from sklearn_cirrus.exceptions import TaskError
from sklearn_cirrus.joblib_backend import RemoteTraceback


def mark(folder):
    """Leave a file, and return how many there are."""
    (folder / f"mark-{os.getpid()}-{time.monotonic_ns()}").touch()
    return len(list(folder.glob("mark-*")))


class Particular(ValueError):
    """An exception with arguments of its own."""

    def __init__(self, code, *, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code

    def __reduce__(self):
        return _particular, (self.code,)


def _particular(code):
    return Particular(code, detail="revived")


class Unpicklable(Exception):
    """An exception that cannot be sent."""

    def __init__(self, first, second):
        super().__init__(first)
        self.lock = threading.Lock()


def fail(kind, folder, number):
    if folder is not None:
        mark(folder)
    if number == 2:
        raise kind
    time.sleep(0.02)
    return number


def test_an_exception_comes_here_with_the_traceback_of_the_worker(cirrus):
    error = Particular(7, detail="seven")
    with pytest.raises(Particular, match="7: revived") as raised:
        Parallel()(delayed(fail)(error, None, i) for i in range(4))
    cause = raised.value.__cause__
    assert isinstance(cause, RemoteTraceback)
    assert "in fail" in str(cause) and "Particular" in str(cause)
    assert pickle.loads(pickle.dumps(cause)).text == cause.text


def raise_unpicklable():
    raise Unpicklable("first", "second")


def test_an_exception_that_cannot_be_sent_is_told(cirrus):
    with pytest.raises(TaskError, match="Unpicklable: first") as raised:
        Parallel()(delayed(raise_unpicklable)() for _ in range(2))
    assert "in raise_unpicklable" in str(raised.value.__cause__)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_exceptions_of_the_system_are_those_of_the_task(cirrus, kind):
    with pytest.raises(kind):
        Parallel()(delayed(fail)(kind("why"), None, i) for i in range(4))


def test_the_first_error_ends_the_rest(cirrus, tmp_path):
    with pytest.raises(RuntimeError, match="enough"):
        Parallel(batch_size=1)(
            delayed(fail)(RuntimeError("enough"), tmp_path, i) for i in range(500)
        )
    assert mark(tmp_path) < 20


def test_an_error_kills_what_runs(cirrus, tmp_path):
    def act(number):
        if number == 0:
            while not list(tmp_path.glob("mark-*")):
                time.sleep(0.01)
            raise RuntimeError("enough")
        mark(tmp_path)
        time.sleep(60)

    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="enough"):
        Parallel()(delayed(act)(i) for i in range(4))
    assert time.monotonic() - begin < 10
    for found in tmp_path.glob("mark-*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(found.name.split("-")[1]), 0)


def test_the_backend_works_on_after_an_error(cirrus):
    with Parallel(batch_size=1) as parallel:
        with pytest.raises(RuntimeError):
            parallel(delayed(fail)(RuntimeError("enough"), None, i) for i in range(4))
        assert parallel(delayed(pow)(i, 2) for i in range(4)) == [0, 1, 4, 9]


def return_lock():
    return threading.Lock()


def refuse():
    raise OSError("not there")


class Refusing:
    """Cannot be unpickled."""

    def __reduce__(self):
        return refuse, ()


def make_refusing(number):
    return Refusing() if number == 1 else number


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_call_that_cannot_be_pickled(cirrus, batch_size):
    with pytest.raises(pickle.PicklingError, match="could not pickle the task.*lock"):
        Parallel(batch_size=batch_size)(delayed(len)(threading.Lock()) for _ in range(4))


def test_a_call_that_cannot_be_unpickled(cirrus):
    with pytest.raises(TaskError, match="cannot be unpickled by the worker: OSError: not there"):
        Parallel()(delayed(len)(Refusing()) for _ in range(2))


def test_a_result_that_cannot_be_pickled(cirrus):
    with pytest.raises(pickle.PicklingError, match="_thread.lock"):
        Parallel()(delayed(return_lock)() for _ in range(2))


def test_a_result_that_cannot_be_unpickled(cirrus):
    with pytest.raises(TaskError, match="cannot be unpickled here: OSError: not there"):
        Parallel()(delayed(make_refusing)(i) for i in range(3))


def test_an_iterator_that_raises(cirrus):
    def calls():
        for i in range(10):
            yield delayed(pow)(i, 2)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        Parallel()(calls())
