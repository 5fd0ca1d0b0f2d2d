"""Blocks that lie in a dataset, not in the run's own part of the store.

A job whose options have ``parts`` trains on them: for each part of the data (``"train"``,
``"valid"``) the view of a dataset, and the names of its blocks there in the order of the part. In a
search, what the splits do with the rows of a block is in the store, as the ``folds`` of a block.
"""

from dataclasses import replace

from .prefetch import read_block
from .views import read_view


class DatasetBlocks:
    """Reads the blocks that leases name.

    Parameters
    ----------
    parts : dict of str to dict
        ``view`` and ``names`` of each part.
    has_folds : bool
        Whether for a search.
    """

    def __init__(self, parts, has_folds=False):
        self._parts = parts
        self._has_folds = has_folds

    @classmethod
    def of(cls, job):
        """Return how a job's blocks are read: from a dataset, or from the store as they are."""
        parts = job.options.get("parts")
        return read_block if parts is None else cls(parts, job.kind == "search").read

    def read(self, store, name):
        """Return the block that a lease names ``.../train-000012.safetensors``."""
        part, _, number = name.rpartition("/")[2].partition(".")[0].partition("-")
        of = self._parts[part]
        block = read_view(of["view"], of["names"][int(number)])
        return replace(block, folds=read_block(store, name).folds) if self._has_folds else block
