"""Leases with their blocks, with a thread that works ahead and without."""

import threading

import pytest

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.errors import BlockError, RunEnded, ServerError, StoreError
from cirrus_runtime.prefetch import LeaseSource
from cirrus_runtime.protocol import Lease, Report

from ..redis_servers import wait_until
from .counted_blocks import cache_maker, counted_store

store, make_cache = pytest.fixture(counted_store), pytest.fixture(cache_maker)

SOON = 10.0


class RecordingBoard(InlineBoard):
    """Remembers what was renewed."""

    def __init__(self):
        super().__init__()
        self.renewals = []

    def renew(self, tokens):
        super().renew(tokens)
        self.renewals.append(sorted(tokens))


@pytest.fixture
def board():
    return RecordingBoard()


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
