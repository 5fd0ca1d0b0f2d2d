"""Blocks in a store that counts, for the tests of what reads them."""

import numpy as np

from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.prefetch import BlockCache
from cirrus_runtime.store_memory import MemoryStore


class CountingStore(MemoryStore):
    """Remembers what was read."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def get(self, name):
        self.reads.append(name)
        return super().get(name)


def make_block(number):
    """Return a block that can be told by its only row; all have the same size."""
    return Block(
        *(np.array([0, 1], np.uint32), np.array([number], np.uint32)),
        *(None, np.zeros(1, np.float32), None, 1000),
    )


SIZE = make_block(0).nbytes


def counted_store():
    """A store with blocks "b0" to "b9"."""
    store = CountingStore()
    for number in range(10):
        store.put(f"b{number}", encode_block(make_block(number)))
    return store


def accept(block, name):
    """Accept any block."""


def cache_maker(store):
    """Return what makes caches of the blocks of a store."""
    return lambda nbytes=100 * SIZE, check=accept: BlockCache(store, check, nbytes)
