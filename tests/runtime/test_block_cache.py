"""Blocks that a worker keeps in memory and on disk."""

import gc
import weakref

import pytest

from cirrus_runtime.disk_cache import DiskCache
from cirrus_runtime.errors import BlockError
from cirrus_runtime.prefetch import BlockCache

from .counted_blocks import SIZE, accept, cache_maker, counted_store, make_block

store, make_cache = pytest.fixture(counted_store), pytest.fixture(cache_maker)


def test_a_cache_gives_the_block_of_the_name(make_cache):
    cache = make_cache(3 * SIZE)
    for number in (4, 2, 4, 7, 0, 2, 9, 4):
        assert cache.load(f"b{number}").indices.tolist() == [number]


def test_what_is_kept_is_not_read_again(make_cache, store):
    cache = make_cache()
    assert cache.load("b1") is cache.load("b1")
    assert store.reads == ["b1"]


def test_the_first_blocks_stay(make_cache, store):
    cache = make_cache(2 * SIZE + SIZE // 2)  # two blocks
    for name in ("b0", "b1", "b0", "b2", "b0", "b1", "b2"):
        cache.load(name)
    assert store.reads == ["b0", "b1", "b2", "b2"]


def test_a_cache_keeps_as_many_blocks_as_fit_and_lets_go_of_the_others(make_cache):
    cache = make_cache(3 * SIZE)
    watched = []
    for number in (0, 1, 2, 1, 3, 4, 5, 6):
        watched.append(weakref.ref(cache.load(f"b{number}").indices))
    gc.collect()
    alive = [watch().tolist() for watch in watched if watch() is not None]
    assert alive == [[0], [1], [2], [1]]


def test_blocks_that_do_not_fit_into_memory_go_to_disk(store):
    disk = DiskCache(1 << 20)
    cache = BlockCache(store, accept, SIZE, disk=disk)
    for number in (0, 1, 2, 2, 1, 0):
        assert cache.load(f"b{number}").indices.tolist() == [number]
    assert store.reads == ["b0", "b1", "b2"]
    assert disk.get("b0") is None and disk.get("b2").indices.tolist() == [2]
    disk.close()


def test_what_is_accepted_in_place_of_a_block_is_made_anew_of_that_on_disk(store):
    def halve(block, name):
        return make_block(500 + int(block.indices[0]))

    disk = DiskCache(1 << 20)
    cache = BlockCache(store, halve, 0, disk=disk)
    for _ in range(2):
        assert cache.load("b1").indices.tolist() == [501]
    assert store.reads == ["b1"]
    disk.close()


@pytest.mark.parametrize("bound", [0, SIZE - 1])
def test_a_block_beyond_the_bound_is_given_but_not_kept(make_cache, store, bound):
    cache = make_cache(bound)
    for _ in range(2):
        assert cache.load("b3").indices.tolist() == [3]
    assert store.reads == ["b3", "b3"]


def test_a_refused_block_is_not_kept(make_cache, store):
    def refuse(block, name):
        raise BlockError(f"{name} is not for us")

    cache = make_cache(check=refuse)
    for _ in range(2):
        with pytest.raises(BlockError, match="b1 is not for us"):
            cache.load("b1")
    assert store.reads == ["b1", "b1"]
