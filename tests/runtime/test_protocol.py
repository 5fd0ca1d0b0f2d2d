"""Jobs, leases and reports survive their way; a job of another version is refused."""

import json
from dataclasses import fields, replace

import pytest

from cirrus_runtime.errors import CirrusError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import VERSION, Lease, Report, TrainJob, decode, encode

JOB = TrainJob(
    run_id="r-1",
    n_features=2**20,
    width=3,
    intercept=True,
    batch_size=1000,
    seed=2**31 - 2,
    store_url="file:///a%20b",
    redis_url="unix:///tmp/s?db=0",
    shard_urls=("redis://a", "redis://b"),
    engine="lua",
    worker=65535,
    generation=7,
    prefetch=False,
    buffer_bytes=2**40,
    cache_bytes=2**41,
    lease_seconds=0.1,
    kind="full_batch",
    options={"alpha": 0.1},
    retry_seconds=2.5,
    deadline=1e9 + 1 / 3,
)
LEASE = Lease(12, "train", 3, 4, 'runs/1/"é"', lr=0.1, lr_end=1 / 3)
REPORT = Report(
    *(12, "loss", 3, 5, 1),
    *(2**33, 1 / 3, 2 / 3, 17, 2**40, 0.1, 0.2, 0.3, 0.4, 0.5),
    error="BlockError: bäd\n",
)


def test_a_job_survives_json():
    assert all(getattr(JOB, field.name) != field.default for field in fields(JOB))
    assert TrainJob.from_json(json.loads(json.dumps(JOB.to_json()))) == JOB


def test_what_a_job_leaves_out_is_the_default():
    short = JOB.to_json()
    for name in (
        "redis_url",
        "shard_urls",
        "engine",
        "worker",
        "generation",
        "prefetch",
        "deadline",
    ):
        del short[name]
    expected = replace(JOB, redis_url=None, shard_urls=(), engine="module", worker=0)
    expected = replace(expected, generation=0, prefetch=True, deadline=None)
    assert TrainJob.from_json(short) == expected


def test_reading_a_job_leaves_its_dict_alone():
    job = JOB.to_json()
    TrainJob.from_json(job)
    assert job == JOB.to_json()


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, str(VERSION), None])
def test_a_job_of_another_version_is_refused(version):
    message = f"protocol version {version}, this worker {VERSION}: install the same sklearn-cirrus"
    with pytest.raises(CirrusError, match=message):
        TrainJob.from_json(JOB.to_json() | {"version": version})
    # An unknown field must not hide that: a newer client may well have sent one.
    with pytest.raises(CirrusError, match=message):
        TrainJob.from_json(JOB.to_json() | {"version": version, "new_field": 1})


def test_a_job_without_a_version_is_refused():
    job = JOB.to_json()
    del job["version"]
    with pytest.raises(CirrusError, match="protocol version None"):
        TrainJob.from_json(job)


@pytest.mark.parametrize("record", [LEASE, REPORT], ids=lambda record: type(record).__name__)
def test_records_survive_the_wire(record):
    data = encode(record)
    assert isinstance(data, bytes)
    assert decode(type(record), data) == record


def test_a_loss_that_is_not_finite_survives_the_wire():
    """A diverged run is recognised by it."""
    assert decode(Report, encode(replace(REPORT, loss=float("inf")))).loss == float("inf")
    loss = decode(Report, encode(replace(REPORT, loss=float("nan")))).loss
    assert loss != loss


def test_keys_of_a_run_lie_together_and_apart_from_other_runs():
    one, other = RunKeys("a-1"), RunKeys("a-10")
    keys = [one.model, one.leases, one.reports]
    assert len(set(keys)) == 3
    assert all(key.startswith("cirrus:{a-1}:") for key in keys)  # the hash tag: one cluster slot
    assert not set(keys) & {other.model, other.leases, other.reports}
    names = [run.block(part, 0) for run in (one, other) for part in ("train", "valid")]
    names.append(one.block("train", 1))
    assert len(set(names)) == 5
    assert [name for name in names if name.startswith(one.prefix)] == [*names[:2], names[4]]
