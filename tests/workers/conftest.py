"""A pool whose workers run the jobs of ``entry/cirrus_test_jobs.py``."""

import time
from pathlib import Path

import pytest

from sklearn_cirrus.workers import LocalBackend
from sklearn_cirrus.workers.pool import WorkerPool


@pytest.fixture
def make_pool(monkeypatch):
    """Make pools with given options, closed after the test."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "entry")
    pools = []

    def make(**options):
        pools.append(WorkerPool("cirrus_test_jobs", **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def pool(make_pool):
    return make_pool()


@pytest.fixture
def backend(pool):
    backend = LocalBackend(pool, timeout=30)
    yield backend
    backend.close()


@pytest.fixture
def wait_until():
    """Poll a condition until it holds, or fail."""

    def wait(condition, what, timeout=20.0):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
            time.sleep(0.005)

    return wait
