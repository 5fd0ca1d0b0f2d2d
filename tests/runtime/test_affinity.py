"""Workers leave blocks to those that keep them, and nobody waits for anybody."""

from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime.affinity import Affinity
from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.disk_cache import DiskCache
from cirrus_runtime.prefetch import BlockCache, LeaseSource
from cirrus_runtime.protocol import Lease, Report
from cirrus_runtime.store_memory import MemoryStore

from .seats import ON_SERVERS, SOON, sit_down

seats = pytest.fixture(params=ON_SERVERS[:1])(sit_down)
N_BLOCKS = 12


class Reader:
    """A worker that reads blocks, with a small cache on disk alone."""

    def __init__(self, seats, store, place, n_kept, affine=True):
        self.place, self.disk = place, DiskCache(n_kept * (SIZE + 100))
        self.cache = BlockCache(store, lambda block, name: None, 0, disk=self.disk)
        affinity = Affinity(place, self.cache.keeps) if affine else None
        self._board = seats.worker(place)
        self._source = LeaseSource(self._board, self.cache, False, affinity=affinity)

    def do(self):
        """Do a lease, if there is one; return its report and what it was."""
        item = self._source.next(0.01)
        if item is None:
            return None
        token, lease, block, took = item
        assert block.indices.tolist() == [lease.block]
        report = Report(
            *(lease.number, lease.kind, lease.epoch, self.place, 0),
            hit=took["hit"],
            kept=self.cache.keeps(lease.name),
        )
        self._source.finish(token, report)
        return report, lease

    def close(self):
        self._source.close()
        self.disk.close()


def block(number):
    return Block(
        *(np.array([0, 1], np.uint32), np.array([number], np.uint32)),
        *(None, np.zeros(1, np.float32), None, 1000),
    )


SIZE = sum(memoryview(piece).nbytes for piece in encode_block(block(0)))


@pytest.fixture
def make(seats):
    """Return a function that makes a reader; closed in the end."""
    store, readers = MemoryStore(), []
    for number in range(N_BLOCKS):
        store.put(f"b{number}", encode_block(block(number)))

    def make(*args, **options):
        readers.append(Reader(seats, store, *args, **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def epoch_leases(epoch, homes):
    """All blocks in an order of the epoch."""
    order = np.random.default_rng(epoch).permutation(N_BLOCKS).tolist()
    return [
        Lease(100 * epoch + i, "train", epoch, number, f"b{number}", home=homes.get(f"b{number}"))
        for i, number in enumerate(order)
    ]


def train(seats, readers, epochs):
    """Let readers take turns; return the hits of each epoch."""
    homes, hits = {}, []
    for epoch in range(epochs):
        seats.trainer.offer(epoch_leases(epoch, homes))
        done = {}
        while len(done) < N_BLOCKS:
            for reader in readers:
                found = reader.do()
                if found is not None:
                    report, lease = found
                    assert lease.name not in done
                    done[lease.name] = report
        assert seats.trainer.count() == 0
        homes |= {name: report.worker for name, report in done.items() if report.kept}
        hits.append(sum(report.hit for report in done.values()))
    return hits


def test_later_epochs_are_served_from_the_caches(seats, make):
    readers = [make(place, N_BLOCKS // 2) for place in range(2)]
    assert train(seats, readers, 4) == [0, N_BLOCKS, N_BLOCKS, N_BLOCKS]


def test_without_affinity_they_are_not(seats, make):
    readers = [make(place, N_BLOCKS // 2, affine=False) for place in range(2)]
    assert max(train(seats, readers, 4)) < N_BLOCKS


def test_blocks_that_nobody_has_room_for_are_anybodys(seats, make):
    """Six of twelve are kept; a worker that is through with its own may take some of the others."""
    first, *later = train(seats, [make(place, 2) for place in range(3)], 5)
    assert first == 0 and min(later) >= 4 and max(later) == 6


def test_a_worker_that_is_new_takes_what_there_is(seats, make):
    first = make(0, N_BLOCKS)
    assert train(seats, [first], 1) == [0]
    homes = {f"b{number}": 0 for number in range(N_BLOCKS)}
    leases = epoch_leases(1, homes)
    seats.trainer.offer(leases)
    second = make(1, N_BLOCKS)
    assert [second.do()[1] for _ in range(N_BLOCKS)] == leases


def test_the_blocks_of_others_are_done_when_none_of_its_own_is_free(seats, make):
    readers = [make(place, N_BLOCKS // 2) for place in range(2)]
    train(seats, readers, 1)
    own = {name: reader.place for reader in readers for name in reader.disk._places}
    leases = epoch_leases(1, own)
    seats.trainer.offer(leases)
    slow = seats.worker(2)
    # A third one holds the blocks of the second, so the second finds those of the first alone.
    taken = [slow.take(SOON) for _ in leases]
    for token, lease in taken:
        if lease.home == 0:
            slow.give_back(token, lease)
    names = {readers[1].do()[1].name for _ in range(N_BLOCKS // 2)}
    assert names == {lease.name for lease in leases if lease.home == 0}
    assert readers[1].do() is None
    for token, lease in taken:
        slow.give_back(token, lease)
    assert [readers[0].do()[1].home for _ in range(N_BLOCKS // 2)] == [1] * (N_BLOCKS // 2)


def test_what_is_passed_on_in_a_row_is_bounded(monkeypatch):
    monkeypatch.setattr("cirrus_runtime.affinity._MOST_PASSED", 3)
    affinity = Affinity(0, lambda name: True)
    lease = Lease(1, "train", 0, 0, "mine")
    affinity.note(lease)
    other = replace(lease, number=2, epoch=1, name="other", home=1)
    assert affinity.leaves(other, set()) and affinity.leaves(other, {7, 8})
    assert not affinity.leaves(other, {2}) and not affinity.leaves(other, {7, 8, 9})
    assert not affinity.leaves(replace(other, home=0), set())
    assert not affinity.leaves(replace(other, kind="loss"), set())
    affinity.note(replace(lease, number=3, epoch=1))  # its only one is done in this epoch
    assert not affinity.leaves(other, set())
