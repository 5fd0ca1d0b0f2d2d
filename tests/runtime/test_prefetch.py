"""Leases with their blocks, with a thread that works ahead and without."""

import gc
import threading
import weakref

import numpy as np
import pytest

from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.board import InlineBoard
from cirrus_runtime.disk_cache import DiskCache
from cirrus_runtime.errors import BlockError, RunEnded, ServerError, StoreError
from cirrus_runtime.prefetch import BlockCache, LeaseSource
from cirrus_runtime.protocol import Lease, Report
from cirrus_runtime.store_memory import MemoryStore

from ..redis_servers import wait_until

SOON = 10.0


class CountingStore(MemoryStore):
    """Remembers what was read."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def get(self, name):
        self.reads.append(name)
        return super().get(name)


class RecordingBoard(InlineBoard):
    """Remembers what was renewed."""

    def __init__(self):
        super().__init__()
        self.renewals = []

    def renew(self, tokens):
        super().renew(tokens)
        self.renewals.append(sorted(tokens))


def make_block(number):
    """Return a block that can be told by its only row; all have the same size."""
    return Block(
        *(np.array([0, 1], np.uint32), np.array([number], np.uint32)),
        *(None, np.zeros(1, np.float32), None, 1000),
    )


SIZE = make_block(0).nbytes


@pytest.fixture
def store():
    """A store with blocks "b0" to "b9"."""
    store = CountingStore()
    for number in range(10):
        store.put(f"b{number}", encode_block(make_block(number)))
    return store


@pytest.fixture
def board():
    return RecordingBoard()


def accept(block, name):
    """Accept any block."""


@pytest.fixture
def make_cache(store):
    return lambda nbytes=100 * SIZE, check=accept: BlockCache(store, check, nbytes)


@pytest.fixture
def make_source(board, make_cache):
    """Make lease sources, closed after the test."""
    sources = []

    def make(prefetch, cache=None, board=board):
        sources.append(LeaseSource(board, cache or make_cache(), prefetch))
        return sources[-1]

    yield make
    board.take_down()
    for source in sources:
        source.close()


@pytest.fixture(params=[False, True], ids=["direct", "ahead"])
def prefetch(request):
    return request.param


def lease(number, name=None):
    return Lease(number, "train", 0, number, name or f"b{number}")


def offer(board, *names):
    leases = [lease(number, name) for number, name in enumerate(names)]
    board.offer(leases)
    return leases


def report(lease):
    return Report(lease.number, lease.kind, lease.epoch, 0, 0)


def leases_left(board):
    """Return the numbers of the leases that can be taken."""
    numbers = []
    while (item := board.take(0.0)) is not None:
        numbers.append(item[1].number)
    return sorted(numbers)


# --- the cache ----------------------------------------------------------------------------


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


# --- the source ---------------------------------------------------------------------------


def test_leases_come_in_order_each_with_its_block(board, make_source, prefetch):
    names = [f"b{number}" for number in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3)]
    leases = offer(board, *names)
    source = make_source(prefetch)
    seen = set()
    for expected in leases:
        token, got, block, took = source.next(SOON)
        assert got == expected and 0 < took["load"] < SOON
        assert took["hit"] == (got.name in seen)
        seen.add(got.name)
        assert block.indices.tolist() == [int(expected.name[1:])]
        source.finish(token, report(got))
    assert [r.number for r in board.collect(0)] == list(range(10))
    assert source.next(0.01) is None


def test_a_lease_that_is_offered_later_comes(board, make_source, prefetch):
    source = make_source(prefetch)
    assert source.next(0.01) is None
    offer(board, "b7")
    assert source.next(SOON)[1] == lease(0, "b7")


def test_blocks_are_loaded_ahead_but_not_far(board, store, make_source):
    """One is computed on, one is ready, one is being loaded or waits to be ready."""
    offer(board, *(f"b{number}" for number in range(10)))
    source = make_source(True)
    for handed in range(1, 9):
        source.next(SOON)
        wait_until(lambda n=handed: len(store.reads) >= n + 2, "nothing is loaded ahead")
        assert len(store.reads) == handed + 2


def test_nothing_is_loaded_ahead_without_prefetching(board, store, make_source):
    offer(board, "b0", "b1", "b2")
    source = make_source(False)
    assert store.reads == []
    source.next(SOON)
    assert store.reads == ["b0"]
    assert leases_left(board) == [1, 2]


def test_a_bad_block_is_the_result_of_its_lease(board, store, make_source, prefetch):
    store.put("damaged", b"x" * 100)
    offer(board, "b0", "damaged", "absent", "b1")
    source = make_source(prefetch)
    results = [source.next(SOON)[2] for _ in range(4)]
    assert results[0].indices.tolist() == [0]
    assert isinstance(results[1], BlockError) and "damaged" in str(results[1])
    assert isinstance(results[2], StoreError) and "absent" in str(results[2])
    assert results[3].indices.tolist() == [1]


def test_all_leases_that_are_held_are_renewed(board, make_source, prefetch):
    offer(board, "b0", "b1", "b2", "b3", "b4")
    source = make_source(prefetch)
    source.renew()
    token, first, *_ = source.next(SOON)

    def held(numbers):
        source.renew()
        return board.renewals[-1] == numbers

    wait_until(lambda: held([0, 1, 2] if prefetch else [0]), "not all are renewed")
    source.finish(token, report(first))
    if prefetch:
        wait_until(lambda: held([1, 2]), "finished and yet renewed")
    else:
        count = len(board.renewals)
        source.renew()
        assert len(board.renewals) == count  # nothing is held


def test_closing_gives_back_what_is_not_finished_and_ends_the_thread(board, make_source, prefetch):
    before = set(threading.enumerate())
    offer(board, *(f"b{number}" for number in range(8)))
    source = make_source(prefetch)
    assert len(set(threading.enumerate()) - before) == prefetch
    token, first, *_ = source.next(SOON)
    source.finish(token, report(first))
    source.next(SOON)
    source.close()
    assert set(threading.enumerate()) <= before
    assert leases_left(board) == [1, 2, 3, 4, 5, 6, 7]


def test_closing_while_the_thread_waits_for_leases(board, make_source):
    before = set(threading.enumerate())
    make_source(True).close()
    assert set(threading.enumerate()) <= before


def test_the_end_of_the_run(board, make_source, prefetch):
    offer(board, "b0")
    source = make_source(prefetch)
    token, first, *_ = source.next(SOON)
    board.take_down()
    with pytest.raises(RunEnded):
        source.next(SOON)
    with pytest.raises(RunEnded):
        source.finish(token, report(first))
    source.close()  # nobody is there to take the lease back


@pytest.mark.parametrize("error", [ServerError("lost"), MemoryError("full"), ZeroDivisionError()])
def test_errors_of_the_thread_come_out(make_source, make_cache, board, prefetch, error):
    def fail(block, name):
        raise error

    offer(board, "b0", "b1")
    source = make_source(prefetch, make_cache(check=fail))
    with pytest.raises(type(error)) as caught:
        source.next(SOON)
    assert caught.value is error
    source.close()
    assert leases_left(board) == [0, 1]


def test_errors_of_the_board_come_out(make_source, prefetch):
    class Unreachable(InlineBoard):
        def take(self, timeout):
            raise ServerError("the server cannot be reached")

    with pytest.raises(ServerError, match="cannot be reached"):
        make_source(prefetch, board=Unreachable()).next(SOON)
