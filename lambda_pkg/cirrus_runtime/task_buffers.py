"""The arrays of tasks: each is read from the store once, whatever the number of tasks.

Where the store is a folder, an array is a map of its file: all processes of a machine share one
copy. From S3 it is loaded to a file of this function's own disk first, and mapped from there, so
that it takes no memory that could not be given back.
"""

import mmap
import os
import shutil
import tempfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from .errors import TaskError
from .task_format import digest

_FOLDER = "cirrus-task-buffers"
_MOST_VERIFIED = 100_000


class MappedBuffers:
    """Arrays in a store whose objects are maps of files, or in memory already."""

    def __init__(self):
        self._verified = set()

    def get(self, store, name, hashed, nbytes):
        """Return an array as a read-only buffer.

        Parameters
        ----------
        store : Store
        name : str
            In the store.
        hashed : str
            Its digest.
        nbytes : int

        Raises
        ------
        TaskError
            The object is not what the digest says.
        StoreError
            It cannot be read.
        """
        data = store.get(name)
        if (name, hashed) not in self._verified:
            check(data, hashed, nbytes, name)
            if len(self._verified) >= _MOST_VERIFIED:
                self._verified.clear()
            self._verified.add((name, hashed))
        return data


class DiskBuffers:
    """Arrays in files of a folder of our own, those unused for longest removed first.

    Parameters
    ----------
    limit : int
        Bytes that the files may have; an array that is larger stays in memory.
    folder : Path, optional
        What it holds is removed: only one process may use it. By default one in the folder of
        temporary files.
    """

    def __init__(self, limit, folder=None):
        self.limit = limit
        self._folder = folder or Path(tempfile.gettempdir()) / _FOLDER
        self._sizes = OrderedDict()
        # What an earlier process of this sandbox has left, as it was ended in a task.
        shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, store, name, hashed, nbytes):
        """Return an array as a read-only buffer; see :meth:`MappedBuffers.get`."""
        path = self._folder / hashed
        if hashed in self._sizes:
            self._sizes.move_to_end(hashed)
            try:
                return _map(path, nbytes)
            except (OSError, ValueError):  # a task has touched what is not its own
                del self._sizes[hashed]
        data = store.get(name)
        check(data, hashed, nbytes, name)
        if 0 < nbytes <= self.limit:
            self._make_room(nbytes)
            try:
                self._folder.mkdir(exist_ok=True)
                path.write_bytes(data)
                data = _map(path, nbytes)
                self._sizes[hashed] = nbytes
            except OSError:  # the disk is full, of the tasks' own files perhaps
                with suppress(OSError):
                    path.unlink()
        return data

    def _make_room(self, nbytes):
        """Remove files until another one has room; maps of them stay valid."""
        room = self.limit - sum(self._sizes.values())
        while room < nbytes:
            hashed, size = self._sizes.popitem(last=False)
            (self._folder / hashed).unlink(missing_ok=True)
            room += size


def check(data, hashed, nbytes, name):
    """Refuse bytes that are not those of the digest."""
    if len(data) != nbytes or digest(data) != hashed:
        raise TaskError(
            f"{name} in the store is not what the client has put there: it was damaged or "
            "replaced; run the search again"
        )


def _map(path, nbytes):
    """Return a file as a read-only buffer."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size != nbytes:
            raise ValueError(f"{path} was changed")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
