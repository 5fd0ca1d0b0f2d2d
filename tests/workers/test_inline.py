"""The inline backend: a thread, with the live objects of this process."""

import threading

import pytest

from sklearn_cirrus.exceptions import WorkerError
from sklearn_cirrus.workers import InlineBackend


def test_the_job_runs_here_with_the_objects_it_was_given():
    resources = object()
    seen = []

    def run(job, *, resources):
        seen.append((job, resources, threading.get_ident()))
        return {"rows": job["rows"]}

    backend = InlineBackend(resources, run=run)
    job = {"rows": 3}
    handles = backend.start([job, {"rows": 4}])  # one worker: the rest may be offered again
    assert len(handles) == 1 and handles[0].job is job
    result = handles[0].wait(10)
    assert result.ok and result.report == {"rows": 3}
    assert seen[0][0] is job and seen[0][1] is resources
    assert seen[0][2] != threading.get_ident()
    assert backend.start([{"rows": 4}])[0].wait(10).report == {"rows": 4}
    backend.close()


@pytest.mark.parametrize("error", [ValueError("bad rows"), SystemExit(3)])
def test_whatever_a_job_raises_is_its_result(error):
    def run(job, *, resources):
        raise error

    result = InlineBackend(run=run).start([{}])[0].wait(10)
    assert not result.ok and result.error_type == type(error).__name__
    assert result.error.startswith(f"{type(error).__name__}: {error}\nTraceback")
    assert "in run" in result.error


def test_one_job_at_a_time_and_close_cancels_it():
    cancelled = threading.Event()

    def run(job, *, resources):
        return {"cancelled": cancelled.wait(30)}

    backend = InlineBackend(cancel=cancelled.set, run=run)
    (handle,) = backend.start([{}])
    with pytest.raises(WorkerError, match="busy"):
        backend.start([{}])
    assert handle.poll() is None
    backend.close()
    assert handle.poll().report == {"cancelled": True}
    backend.close()


def test_a_job_that_cannot_be_cancelled_is_reported():
    end = threading.Event()

    def run(job, *, resources):
        end.wait(30)
        return {}

    backend = InlineBackend(run=run, timeout=0.05)
    (handle,) = backend.start([{}])
    with pytest.raises(WorkerError, match="did not stop within 0.05 s"):
        backend.close()
    end.set()
    assert handle.wait(10).ok
