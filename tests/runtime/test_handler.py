"""The entry on AWS Lambda: what it refuses, and what it makes of event, context and job."""

import json
import time
from collections import OrderedDict
from types import SimpleNamespace

import pytest

from cirrus_runtime import __version__, handler, store
from cirrus_runtime.errors import CirrusError, StoreError
from cirrus_runtime.protocol import TrainJob

JOB = TrainJob(
    run_id="abc",
    n_features=3,
    width=1,
    intercept=True,
    batch_size=2,
    seed=1,
    store_url="",
    buffer_bytes=300 << 20,
)


def context(seconds=60.0, memory=512):
    """Lambda gives the memory as text."""
    return SimpleNamespace(
        get_remaining_time_in_millis=lambda: 1000 * seconds, memory_limit_in_mb=str(memory)
    )


@pytest.fixture
def event(tmp_path, monkeypatch):
    """An event whose job is in a folder."""
    monkeypatch.setattr(store, "_kept", OrderedDict())
    url = tmp_path.as_uri()
    store.keep_store(url).put("runs/abc/job-000001.json", json.dumps(JOB.to_json()).encode())
    return {
        "store_url": url,
        "job": "runs/abc/job-000001.json",
        "place": 3,
        "generation": 7,
        "runtime": __version__,
    }


@pytest.fixture
def given(monkeypatch):
    """The jobs that run_worker was given."""
    jobs = []

    def run(job):
        jobs.append(TrainJob.from_json(job))
        return {"reason": "ended", "rows": 5, "updates": 2}

    monkeypatch.setattr(handler, "run_worker", run)
    return jobs


def test_the_job_is_completed_from_event_and_context(event, given):
    result = handler.handle(event, context(60.0))
    assert result.pop("seconds") < 5
    assert result == {"reason": "ended", "rows": 5, "updates": 2}
    (job,) = given
    assert (job.worker, job.generation, job.seed) == (3, 7, 1)
    assert job.deadline == pytest.approx(time.time() + 59.0, abs=2.0)


@pytest.mark.parametrize(("memory", "megabytes"), [(128, 0), (512, 160), (1769, 300)])
def test_blocks_are_kept_as_far_as_the_memory_goes(event, given, memory, megabytes):
    handler.handle(event, context(memory=memory))
    assert given[0].buffer_bytes == megabytes << 20


def test_another_version_is_refused_with_both_named(event, given):
    with pytest.raises(
        CirrusError, match=rf"client's runtime is 9\.9 and this function's {__version__}: run `skl"
    ):
        handler.handle(event | {"runtime": "9.9"}, context())
    assert not given


@pytest.mark.parametrize("name", ["store_url", "job", "place", "generation", "runtime"])
@pytest.mark.parametrize("value", [None, 1.5, True, ["x"]])
def test_an_event_of_somebody_else_is_refused(event, given, name, value):
    with pytest.raises(CirrusError, match=f"the event has no {name} of type (str|int)"):
        handler.handle(event | {name: value}, context())
    assert not given


@pytest.mark.parametrize("event", [None, [], "text", 3, {}])
def test_what_is_no_event_at_all_is_refused(event, given):
    with pytest.raises(CirrusError, match="runs workers of sklearn_cirrus, and the event has no"):
        handler.handle(event, context())


def test_a_job_that_is_gone_is_an_error(event, given):
    with pytest.raises(StoreError, match="job-000009"):
        handler.handle(event | {"job": "runs/abc/job-000009.json"}, context())


def test_the_store_is_kept_for_the_next_invocation(event, given, tmp_path):
    handler.handle(event, context())
    first = store.keep_store(event["store_url"])
    handler.handle(event, context())
    assert store.keep_store(event["store_url"]) is first
    other = store.keep_store((tmp_path / "other").as_uri())
    assert list(store._kept.values()) == [first, other]
    for i in range(4):  # as many as are kept
        store.keep_store((tmp_path / f"more-{i}").as_uri())
    assert not {first, other} & set(store._kept.values())
