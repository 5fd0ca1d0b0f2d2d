"""All journals of a folder, read as they grow."""

import os
import threading
import time

from .._journal import SUFFIX
from ._record import Record

_SECONDS = 0.3  # that one refresh takes at most: then the page shows what there is
_PAUSE = 0.2  # seconds between two looks at the folder


class Records:
    """The records of a folder. Methods may be called from any thread.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder):
        self.folder = folder
        self._lock = threading.Lock()
        self._records = {}
        self._looked = float("-inf")

    def refresh(self):
        """Read what has come since the last call, the newest journals first."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked < _PAUSE:
                return
            sizes = self._sizes()
            for name in self._records.keys() - sizes.keys():
                del self._records[name]
            for name in sorted(sizes, reverse=True):
                if name not in self._records:
                    self._records[name] = Record(self.folder / name)
                try:
                    if not self._records[name].refresh(sizes[name], now + _SECONDS):
                        break
                except FileNotFoundError:
                    continue  # it was cleared away: the next look will miss it
            self._looked = time.monotonic()

    def _sizes(self):
        """Return the sizes of the journals by the names of their files."""
        sizes = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        sizes[entry.name] = entry.stat().st_size
        except FileNotFoundError:
            pass  # no run yet, or a journal that has just been cleared away
        return sizes

    def get(self, name):
        """Return the record of a journal, or None."""
        with self._lock:
            return self._records.get(name + SUFFIX)

    def parts(self, name):
        """Return the records of the runs of a search, in the order of their beginnings."""
        with self._lock:
            records = [self._records[key] for key in sorted(self._records)]
        return [one for one in records if one.start is not None and one.start.get("search") == name]

    def summaries(self, known):
        """Return the summaries of records that have changed, and the names of all.

        Parameters
        ----------
        known : dict
            Versions by name, as of the call before; is brought up to date.
        """
        with self._lock:
            records = [record for record in self._records.values() if record.start is not None]
            changed = [r for r in records if known.get(r.name) != r.version]
            known.update({record.name: record.version for record in changed})
            return [record.summary() for record in changed], [record.name for record in records]
