"""The rows of a search that lie in a Dataset: workers read them there.

What the client puts is, for each block of the dataset, what the splits do with its rows: some bytes
a row. What is to be known of the columns is learnt from a sample, as in a fit on a Dataset.
"""

import numpy as np

from cirrus_runtime.blocks import Block

from ._classes import classes_of
from ._dataset.sample import sample_rows
from ._dataset.training import training_view
from ._ingest import Part
from ._reach import check_reach
from ._search_data import SearchData


def labels_of(data, y, params):
    """Return the labels of a dataset that is to be searched on.

    Parameters
    ----------
    data : Dataset
    y : array-like of shape (n_rows,) or None
        As the user gives them.
    params : dict
        Of the estimator's ``fit``, and of the splitter.

    Raises
    ------
    ValueError
        If there are no rows or no labels, y is another, or the rows have weights.
    """
    if params.get("sample_weight") is not None:
        raise ValueError(
            "sample_weight cannot be used with a Dataset: weigh classes with class_weight"
        )
    if not len(data):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    labels = data.y
    if y is not None and not np.array_equal(np.asarray(y), labels):
        raise ValueError("y is not the labels of the dataset: leave it out, or pass data.y")
    return labels


class DatasetSearchData(SearchData):
    """The rows of a Dataset, and its splits; see :class:`SearchData`.

    Parameters
    ----------
    data : Dataset
    y : array of shape (n_rows,)
        Its labels.
    splits : list of (train, test)
    """

    summed = (None, "neg_log_loss")
    nbytes = 0  # blocks lie where they are

    def __init__(self, data, y, splits):
        classes = classes_of(y)
        labels = np.searchsorted(classes, y)
        super().__init__(sample_rows(data), labels, classes, None, splits)
        self._data = data

    def is_summed(self, ended, fits):
        """Return True: the rows are where the workers read them."""
        return True

    def check(self, config):
        """Refuse settings by which workers could not reach the rows."""
        check_reach(config, self._data.url)

    def options(self, columns):
        """Return the view of the dataset, whose blocks are rows of float32 with class indices."""
        data = self._data
        becomes = np.searchsorted(self.classes, data.classes)
        becomes[~np.isin(data.classes, self.classes)] = 0  # no row has it
        view = training_view(data, columns.center, becomes)
        return {"parts": {"train": {"view": view, "names": list(data.blocks())}}}

    def part(self, seed, n_workers, block_bytes, columns):
        """Return blocks without entries, of what the splits do with the rows of the dataset's."""
        counts = list(self._data.blocks().values())
        folds = self._folds
        if self._data.picks is not None:  # blocks give their rows in rising order
            folds = folds[np.argsort(self._data.picks, kind="stable")]
        return Part(_masks(folds, counts), len(counts), self.n_rows)


def _masks(folds, counts):
    """Yield a block of the folds alone for each number of rows."""
    first = 0
    for n in counts:
        yield Block(
            indptr=np.zeros(n + 1, np.uint32),
            indices=np.empty(0, np.uint32),
            data=None,
            labels=None,
            weights=None,
            n_features=1,
            folds=np.ascontiguousarray(folds[first : first + n]).reshape(-1),
        )
        first += n
