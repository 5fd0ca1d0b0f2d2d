"""Blocks on a worker's disk: within the bound, gone with the worker, none if the disk is full."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.disk_cache import DiskCache, open_disk_cache
from cirrus_runtime.protocol import TrainJob
from cirrus_runtime.tables import TableBlock

JOB = TrainJob("r", 10, 1, True, 10, 0, store_url="file:///a", cache_bytes=1000)


def make_block(number):
    """Return a block of the same size for each number below 1000."""
    values = np.arange(300, dtype=np.float32) + number
    return Block(
        *(np.array([0, 100, 300], np.uint32), np.arange(300, dtype=np.uint32), values),
        *(np.zeros(2, np.float32), np.ones(2, np.float32), 1000),
    )


SIZE = sum(memoryview(piece).nbytes for piece in encode_block(make_block(0)))


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Return a function that opens a cache in an empty folder, closed after the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    caches = []

    def make(nbytes):
        caches.append(DiskCache(nbytes))
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()
    assert not list(tmp_path.iterdir())


def test_blocks_come_back_as_they_were(make):
    cache = make(10 * SIZE)
    for number in range(5):
        cache.put(f"b{number}", make_block(number))
    for number in (3, 0, 4, 1, 2, 3):
        found, block = cache.get(f"b{number}"), make_block(number)
        assert found.n_features == 1000
        for name in ("indptr", "indices", "data", "labels", "weights"):
            np.testing.assert_array_equal(getattr(found, name), getattr(block, name))
    assert cache.get("b5") is None


def test_the_file_stays_within_its_bound_and_the_first_blocks_stay(make):
    cache = make(3 * SIZE)
    for number in range(20):
        cache.put(f"b{number}", make_block(number))
    assert [cache.get(f"b{number}") is not None for number in range(5)] == [True] * 3 + [False] * 2
    assert os.fstat(cache._file.fileno()).st_size == 3 * SIZE


def test_a_block_beyond_the_bound_makes_no_file(make):
    cache = make(SIZE - 1)
    cache.put("b", make_block(0))
    assert cache.get("b") is None and cache._file is None


def test_the_file_has_no_name_and_goes_when_closed(make, tmp_path):
    cache = make(SIZE)
    cache.put("b", make_block(0))
    assert not list(tmp_path.iterdir())
    number = cache._file.fileno()
    cache.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert cache.get("b") is None


def test_a_full_disk_ends_the_keeping_alone(make, monkeypatch, caplog):
    cache = make(10 * SIZE)
    cache.put("b0", make_block(0))
    write = os.pwrite

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    cache.put("b1", make_block(1))
    monkeypatch.setattr(os, "pwrite", write)
    cache.put("b2", make_block(2))
    assert "no more blocks are kept on disk: [Errno 28]" in caplog.text
    assert cache.get("b0").data[0] == 0
    assert cache.get("b1") is None and cache.get("b2") is None


def test_tables_are_not_kept(make):
    cache = make(1 << 20)
    cache.put("t", TableBlock(("a",), (np.zeros(3),)))
    assert cache.get("t") is None


@pytest.mark.parametrize(
    ("url", "step", "is_worth_it"),
    [
        (None, None, False),  # in the run's own folder
        ("file:///d", "rows", False),
        ("file:///d", "hash", True),
        ("s3://b/d", "rows", True),
    ],
)
def test_only_what_takes_long_to_read_is_kept(url, step, is_worth_it):
    job = JOB
    if url is not None:
        parts = {"train": {"view": {"url": url, "steps": [{"step": step}]}, "names": []}}
        job = replace(JOB, options={"parts": parts})
    assert (open_disk_cache(job) is not None) == is_worth_it
    assert open_disk_cache(replace(job, cache_bytes=0)) is None


def test_blocks_of_a_run_on_s3_are_kept():
    assert open_disk_cache(replace(JOB, store_url="s3://bucket/runs")) is not None
