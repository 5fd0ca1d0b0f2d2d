"""The large buffers of a run's tasks: each is put into the store once.

Tasks name a buffer by the digest of its bytes, so that arrays that are equal are one, wherever in
the arguments they are. To digest a large array for each task would take longer than many a task
does; so it is done once for as long as the array lives. Whoever changes an array of a mebibyte or
more while a Parallel call is under way may find that later tasks get it as it was (joblib's own
memory maps do the same).
"""

import weakref
from collections import Counter, OrderedDict

import numpy as np

from cirrus_runtime.task_format import digest

_REMEMBERED = 1 << 20  # bytes, from which on a digest is remembered
_UNUSED = 512 << 20  # bytes that may lie in the store without a task that has them


class Buffers:
    """What is in the store, how many tasks need it, and what the digests are.

    Parameters
    ----------
    store : Store
    keys : RunKeys
    unused_bytes : int
        How much is kept for tasks that may come. A run that goes through more data than that, a
        piece for each task, does not fill the disk.

    Attributes
    ----------
    put_bytes : int
        Bytes that were put into the store.
    """

    def __init__(self, store, keys, unused_bytes=_UNUSED):
        self._store = store
        self._keys = keys
        self._unused_bytes = unused_bytes
        self._users = Counter()
        self._unused = OrderedDict()  # digest: bytes, the longest unused first
        self._digests = {}
        self.put_bytes = 0

    def add(self, view):
        """Put a buffer into the store if it is not there, for a task that needs it.

        Parameters
        ----------
        view : memoryview
            Contiguous bytes.

        Returns
        -------
        list
            Digest and number of bytes: what :meth:`release` takes back.

        Raises
        ------
        StoreError
        """
        name = self._digest(view)
        if name in self._unused:
            del self._unused[name]
        elif not self._users[name]:
            self._store.put(self._keys.buffer(name), view)
            self.put_bytes += view.nbytes
        self._users[name] += 1
        return [name, view.nbytes]

    def release(self, entries):
        """Note that a task no longer needs its buffers.

        Parameters
        ----------
        entries : list of list
            What :meth:`add` returned.
        """
        for name, nbytes in entries:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                self._unused[name] = nbytes
        total = sum(self._unused.values())
        gone = []
        while total > self._unused_bytes:
            name, nbytes = self._unused.popitem(last=False)
            gone.append(self._keys.buffer(name))
            total -= nbytes
        if gone:
            self._store.delete(gone)

    def _digest(self, view):
        """Return the digest, from memory if the array that owns the bytes is still the same."""
        if view.nbytes < _REMEMBERED:
            return digest(view)
        owner = view.obj
        while getattr(owner, "base", None) is not None:
            owner = owner.base
        address = np.frombuffer(view, np.uint8).ctypes.data
        key = id(owner), address, view.nbytes
        known = self._digests.get(key)
        if known is not None and known[0]() is owner:
            return known[1]
        name = digest(view)
        try:
            self._digests[key] = weakref.ref(owner, lambda _: self._digests.pop(key, None)), name
        except TypeError:  # bytes, for one: who owns the memory cannot be told to be alive
            pass
        return name
