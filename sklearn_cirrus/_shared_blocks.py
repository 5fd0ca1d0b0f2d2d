"""Blocks that fits on joblib's threads share: put once, and kept on shelves.

scikit-learn hands each fit of a search a copy of its fold. Which rows of it are those of others is
found out by ``_shared_rows.py``. Where fits must not share single rows, they share all or none
(``SharedPart``): their blocks follow from the rows, labels, weights, order and centres that they
are cut from; fits for which all of these are the same use the same objects of the store.

They stay for the fits to come as long as a thread lives that has used any: joblib's threads end
with the call. So it does not matter whether a fit is under way all the time, and nothing is left
after the search. Rejected: a time for which blocks stay (too short for one search, too long for
another); to let them go with the last fit that uses them (with five folds and four threads, they
would go before they are used again).
"""

import atexit
import logging
import os
import threading
import uuid
from functools import partial
from multiprocessing.dummy import DummyProcess

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.errors import StoreError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store

from ._aws_session import make_client
from ._ingest import Part

logger = logging.getLogger(__name__)

_MOST_BYTES = 2 << 30  # of blocks that no fit uses at the moment

_removing = threading.Lock()  # held until shelves that left the list are empty; before _lock
_lock = threading.Lock()  # of all that follows
_shelves = {}  # by url of the store and content, or what the rows have in common and an id
_threads = set()  # that have used any
_watcher = None


def is_shared_here():
    """Return whether fits on this thread share blocks: it is one of a pool of threads."""
    return isinstance(threading.current_thread(), DummyProcess)


class SharedPart(Part):
    """A part of the data whose blocks other fits may use as well.

    Parameters
    ----------
    part : Part
        Whose ``blocks`` are ``Blocks``.
    url : str
        Of the store.
    """

    def __init__(self, part, url):
        key = url, part.blocks.content()
        self._shelf = take(key, lambda: Shelf(url))
        super().__init__(part.blocks, part.n_blocks, part.n_rows, self._shelf.keys)

    def put(self, store, keys, kind):
        """Put the blocks that are not there yet; yield the number of each that is there."""
        for number in range(self.n_blocks):
            name = self.keys.block(kind, number)
            self._shelf.put(store, name, partial(self.blocks.cut, number))
            yield number

    def release(self):
        """Say that this fit does not use the blocks any more."""
        give_back(self._shelf)


class Shelf:
    """Blocks in one store.

    ``users`` and what is to become of it is the business of this module, under its lock.
    """

    is_torn = False  # whether it is of no use once those who use it now are done

    def __init__(self, url):
        self._store = open_store(url, make_client)  # for the end: that of the fit is closed by then
        self.keys = RunKeys(uuid.uuid4().hex[:16])
        self.users = 0
        self.nbytes = 0
        self._there = set()
        self._is_gone = False
        self._putting = threading.Lock()

    def put(self, store, name, cut):
        """Put a block unless it is there: whoever comes first does, and the others wait for it.

        Parameters
        ----------
        store : Store
        name : str
        cut : callable
            Returns the block.
        """
        with self._putting:
            if self._is_gone:
                raise StoreError(f"{name} is not put any more: this process ends")
            if name not in self._there:
                pieces = encode_block(cut())
                store.put(name, pieces)
                self.nbytes += sum(memoryview(piece).nbytes for piece in pieces)
                self._there.add(name)

    def remove(self):
        """Delete the blocks, and let no more come."""
        try:
            with self._putting, self._store as store:
                self._is_gone = True
                store.delete_prefix(self.keys.prefix)
        except StoreError as error:
            logger.warning("shared blocks stay in the store: %s", error)


def shelves_of(family):
    """Return the shelves, with their keys, whose keys begin with something."""
    with _lock:
        return [(key, shelf) for key, shelf in _shelves.items() if key[0] == family]


def take(key, make):
    """Return the shelf of a key, for one more fit on this thread.

    Parameters
    ----------
    key : tuple
    make : callable
        Makes the shelf if there is none.
    """
    global _watcher
    with _lock:
        if key not in _shelves:
            _shelves[key] = make()
        shelf = _shelves[key]
        shelf.users += 1
        _threads.add(threading.current_thread())
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, name="cirrus-shared-blocks", daemon=True)
            _watcher.start()
    return shelf


def give_back(shelf):
    """Take note that a fit is done with a shelf; remove what is too much to keep.

    The one that has come back goes, not the one that was used least recently: candidates go through
    the folds in turn, so the latter is the next to be asked for.
    """
    with _removing:
        with _lock:
            shelf.users -= 1
            kept = sum(other.nbytes for other in _shelves.values() if not other.users)
            goes = not shelf.users and (kept > _MOST_BYTES or shelf.is_torn)
            gone = _drop(lambda other: other is shelf) if goes else []
        _remove(gone)


def _watch():
    """Wait for the end of all threads that have used blocks; then remove these."""
    global _watcher
    while True:
        with _removing:
            with _lock:
                thread = next(iter(_threads), None)
                if thread is None:
                    gone = _drop(lambda shelf: True)
                    _watcher = None
            if thread is None:
                _remove(gone)
                return
        thread.join()  # this thread has nothing else to do, and does not keep the process alive
        with _lock:
            _threads.discard(thread)


def _drop(is_meant):
    """Take shelves out of the list and return them; the caller holds the lock."""
    gone = [key for key, shelf in _shelves.items() if is_meant(shelf)]
    return [_shelves.pop(key) for key in gone]


def _remove(shelves):
    for shelf in shelves:
        shelf.remove()


@atexit.register
def _remove_all():
    """Leave nothing in a store that outlives this process."""
    with _removing:  # what is under way comes to its end
        with _lock:
            gone = _drop(lambda shelf: True)
        _remove(gone)


def _after_fork_in_child():
    """Leave the blocks to the parent."""
    global _lock, _removing, _watcher
    _lock, _removing = threading.Lock(), threading.Lock()
    _watcher = None
    _shelves.clear()
    _threads.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
