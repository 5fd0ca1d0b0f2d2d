"""What workers do with the blocks of a dataset: moments of its columns, margins, copies.

Each takes the view of the dataset from the job, and the name of a block as that of the lease.
"""

import numpy as np

from .dataset_objects import block_name, put_block
from .linear import margins_of
from .store import keep_store
from .tables import TableBlock
from .views import as_numbers, pack_numbers, read_view, unpack_numbers


class OnBlocks:
    """An operation on the blocks of the view in a job's options."""

    def __init__(self, job):
        self._options = job.options

    def read(self, store, name):
        return read_view(self._options["view"], name)


class Moments(OnBlocks):
    """Of each column: how many values, their mean, the squares about it summed up, least, largest.

    Missing numbers (NaN) do not count. Of sparse rows, what is not stored is zero and counts. Means
    are above the ``origin`` in the options: numbers far from zero keep their digits.
    """

    def apply(self, lease, block):
        if isinstance(block, TableBlock):
            origin = unpack_numbers(self._options["origin"])
            moments = _of_columns(as_numbers(block, lease.name).astype(np.float64), origin)
        else:
            moments = _of_sparse(block)
        return block.n_rows, [pack_numbers(part) for part in moments]


def _of_columns(values, origin):
    """Return the moments of the columns of an array with NaN for what is missing."""
    there = ~np.isnan(values)
    least = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
    largest = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
    values = values - origin
    count = there.sum(axis=0).astype(np.float64)
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    apart = np.where(there, values - mean, 0.0)
    # The second term takes away what rounding has left of the mean (Chan et al. 1983).
    squares = (apart**2).sum(axis=0) - apart.sum(axis=0) ** 2 / np.maximum(count, 1)
    return count, mean, squares, least, largest


def _of_sparse(block):
    """Return the moments of the columns of sparse rows."""
    n, d = block.n_rows, block.n_features
    data = np.ones(len(block.indices)) if block.data is None else block.data.astype(np.float64)
    stored = np.bincount(block.indices, minlength=d).astype(np.float64)
    mean = np.bincount(block.indices, data, minlength=d) / max(n, 1)
    squares = np.bincount(block.indices, (data - mean[block.indices]) ** 2, minlength=d)
    squares += (n - stored) * mean**2
    least, largest = np.full(d, np.inf), np.full(d, -np.inf)
    np.minimum.at(least, block.indices, data)
    np.maximum.at(largest, block.indices, data)
    absent = stored < n
    least[absent], largest[absent] = np.minimum(least[absent], 0), np.maximum(largest[absent], 0)
    return np.full(d, float(n)), mean, squares, least, largest


class Margins(OnBlocks):
    """The margins of a linear model: options ``coef`` (width x columns) and ``intercept``."""

    def __init__(self, job):
        super().__init__(job)
        self._intercept = np.array(job.options["intercept"])
        self._coef = unpack_numbers(job.options["coef"]).reshape(self._intercept.size, -1)

    def apply(self, lease, block):
        margins = margins_of(block, self._coef, self._intercept, lease.name)
        return block.n_rows, pack_numbers(margins)


class Persist(OnBlocks):
    """Blocks as the view has them, written to the store at ``url``; the result tells of them."""

    def apply(self, lease, block):
        store = keep_store(self._options["url"])
        told = put_block(store, block_name(lease.block), block, self._options["classes"])
        return block.n_rows, told
