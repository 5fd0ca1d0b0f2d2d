"""Blocks that lie in a dataset, not in the run's own part of the store.

A job whose options have ``parts`` trains on them: for each part of the data (``"train"``,
``"valid"``) the view of a dataset, and the names of its blocks there in the order of the part.
"""

from .prefetch import read_block
from .views import read_view


class DatasetBlocks:
    """Reads the blocks that leases name.

    Parameters
    ----------
    parts : dict of str to dict
        ``view`` and ``names`` of each part.
    """

    def __init__(self, parts):
        self._parts = parts

    @classmethod
    def of(cls, job):
        """Return how a job's blocks are read: from a dataset, or from the store as they are."""
        parts = job.options.get("parts")
        return read_block if parts is None else cls(parts).read

    def read(self, store, name):
        """Return the block that a lease names ``.../train-000012.safetensors``."""
        part, _, number = name.rpartition("/")[2].partition(".")[0].partition("-")
        of = self._parts[part]
        return read_view(of["view"], of["names"][int(number)])
