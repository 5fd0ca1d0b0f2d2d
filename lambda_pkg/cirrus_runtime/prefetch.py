"""Leases with their blocks, loaded ahead of the computation.

With prefetching, one thread takes a lease, loads its block and hands both over through a queue of
one, while the worker computes on the block before. So at most three blocks are in use: one that is
computed on, one ready, one being loaded; besides these, blocks are kept for later epochs: the first
ones as long as they fit into ``buffer_bytes`` together, others on disk (``disk_cache.py``).
"""

import queue
import threading
import time
from functools import partial

from .blocks import decode_block
from .errors import RunEnded, ServerUnavailable, StoreError
from .retry import Retry

_TAKE_SECONDS = 1.0


def read_block(store, name):
    """Return a block of the store."""
    return decode_block(store.get(name), name)


class BlockCache:
    """Blocks kept in memory within a bound, the first ones that were read.

    In passes over all blocks, each in another order, those used last are no likelier to be used
    next: to let one go for another would only lose hits.

    Parameters
    ----------
    store : Store
    accept : callable
        Called with (block, name) when a block was read; raises BlockError to refuse it. Returns
        what is to be kept in its place (it has ``nbytes``), or None to keep the block.
    nbytes : int
        Bound on the bytes of the blocks kept.
    read : callable, optional
        Called with (store, name) to read and decode a block; by default :func:`read_block`.
    disk : DiskCache, optional
        Where blocks go that do not fit into memory.
    """

    def __init__(self, store, accept, nbytes, read=None, disk=None):
        self._store = store
        self._read = read or read_block
        self._accept = accept
        self._disk = disk
        self._room = nbytes
        self._blocks = {}

    def keeps(self, name):
        """Return whether a block is kept, in memory or on disk."""
        return name in self._blocks or (self._disk is not None and name in self._disk)

    def load(self, name):
        """Return a block, from memory, from disk or from the store."""
        if name in self._blocks:
            return self._blocks[name]
        read = None if self._disk is None else self._disk.get(name)
        is_new = read is None
        if is_new:
            read = self._read(self._store, name)
        block = self._accept(read, name) or read
        if block.nbytes <= self._room:
            self._blocks[name] = block
            self._room -= block.nbytes
        elif is_new and self._disk is not None:
            self._disk.put(name, read)
        return block


class LeaseSource:
    """Leases with their blocks, one after the other.

    Parameters
    ----------
    board : Board
    cache : BlockCache
    prefetch : bool
        Whether a thread works ahead.
    retry : Retry, optional
        By which the board is called; by default nothing is tried again.
    wait : float
        Seconds that the thread waits at the board at a time.
    affinity : Affinity, optional
        Which leases are left to others; by default none.
    """

    def __init__(self, board, cache, prefetch, retry=None, wait=_TAKE_SECONDS, affinity=None):
        self._board = board
        self._retry = retry or Retry(0.0)
        self._wait = wait
        self._affinity = affinity
        self._cache = cache
        self._held = {}
        self._stop = threading.Event()
        self._ready = queue.Queue(maxsize=1)
        self._thread = None
        if prefetch:
            self._thread = threading.Thread(target=self._work_ahead, name="cirrus-prefetch")
            self._thread.daemon = True  # close() joins it; a worker that dies must not wait for it
            self._thread.start()

    def next(self, timeout):
        """Return (token, lease, block, what it took to load it), or None.

        What it took are fields of a report: ``load``, and ``hit``, whether the block was kept.

        None: there was no lease for ``timeout`` s.
        The block is a StoreError if it could not be loaded. Raises RunEnded at the end, and
        whatever stopped the thread.
        """
        if self._thread is None:
            return self._load_one(timeout)
        try:
            item = self._ready.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def renew(self):
        """Say that all leases taken and not finished are still worked on."""
        held = list(self._held)
        if held:
            self._retry(self._board.renew, held)

    def finish(self, token, *reports, then=None):
        """Post the reports of a lease, and the lease that is to follow."""
        self._retry(partial(self._board.finish, token, *reports, then=then))
        self._held.pop(token, None)

    def close(self):
        """Stop the thread and give back the leases that nobody will finish."""
        self._stop.set()
        self._retry.stop()
        if self._thread is not None:
            while self._thread.is_alive():
                try:
                    self._ready.get_nowait()
                except queue.Empty:
                    pass
                self._thread.join(0.01)
        try:
            for token, lease in self._held.items():
                self._board.give_back(token, lease)
        except RunEnded:
            pass  # then nobody waits for them either
        except ServerUnavailable:
            pass  # they are taken over when they have aged

    def _load_one(self, timeout):
        """Take one lease and load its block."""
        taken = self._take(timeout)
        if taken is None:
            return None
        token, lease = taken
        begin, hit = time.perf_counter(), self._cache.keeps(lease.name)
        try:
            block = self._cache.load(lease.name)
        except StoreError as error:  # the worker reports it as the result of the lease
            block = error
        return token, lease, block, {"load": time.perf_counter() - begin, "hit": hit}

    def _take(self, timeout):
        """Take a lease; post those anew that are for others."""
        passed = set()
        while (taken := self._retry(self._board.take, timeout)) is not None:
            token, lease = taken
            self._held[token] = lease
            if self._affinity is None:
                return taken
            if self._stop.is_set() or not self._affinity.leaves(lease, passed):
                self._affinity.note(lease)
                return taken
            passed.add(lease.number)
            self._retry(self._board.give_back, token, lease)
            del self._held[token]
        return None

    def _work_ahead(self):
        """Take and load until the run ends."""
        try:
            while not self._stop.is_set():
                item = self._load_one(self._wait)
                if item is not None:
                    self._ready.put(item)
        except BaseException as error:  # raised again where next() is called
            self._ready.put(error)
