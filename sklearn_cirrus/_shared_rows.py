"""Rows that fits on joblib's threads share: those of all folds and candidates are put once.

A shelf has blocks, and an index of their rows by what is in them (``_row_keys.py``). A fit takes
the rows that are there by a selection, which workers are told as they are told that of a
``Dataset``, and cuts blocks of the others alone. Blocks hold what does not depend on the fold: rows
less the centre of the fit that began the shelf, and weights in units of its mean. What is left to
its own, workers do to a block when they read it.

Whether a fit can use a shelf:

- a quarter of its rows are there, or it would gain little;
- what is there in the end is at most twice what it uses, or it would read too much;
- its centre and its mean weight are near, or float32 would lose digits.

If it can use none it begins one.
"""

import os
import threading
import uuid
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse

from ._dataset.dataset import Dataset
from ._dataset.manifest import Manifest
from ._dataset.training import training_view
from ._ingest import Blocks, Part
from ._row_keys import RowIndex, keys_of_rows
from ._shared_blocks import Shelf, give_back, shelves_of, take

_SAMPLE = 256  # rows by which it is estimated how many are known
_LEAST_KNOWN = 0.25
_MOST_UNUSED = 2  # rows of a shelf for each row of a fit
_NEAR = 16  # times as large or small

_planning = threading.Lock()  # held while a fit looks for a shelf, and adds to it; the outermost


@dataclass(frozen=True)
class GivenRows:
    """The rows of a fit.

    Attributes
    ----------
    X : CSR matrix or array of shape (n_samples, n_features), float32 or float64
    labels : float32 array of shape (n_samples,)
        Class indices.
    weights : float64 array of shape (n_samples,) or None
    n_classes : int
    columns : Columns
    """

    X: object
    labels: np.ndarray
    weights: np.ndarray | None
    n_classes: int
    columns: object

    def of_class(self):
        """Return the weight of each class, if rows have no other ones; else None."""
        if self.weights is None:
            return None
        classes = self.labels.astype(np.intp)
        of_class = np.zeros(self.n_classes)
        of_class[classes] = self.weights
        return of_class if np.array_equal(of_class[classes], self.weights) else None

    def kind(self, has_weights):
        """Return what rows must have in common to be on the same shelf."""
        X = self.X
        more = (X.indices.dtype.str, X.indptr.dtype.str) if sparse.issparse(X) else ()
        return X.shape[1], X.dtype.str, *more, self.columns.center is None, has_weights


class SharedRows:
    """The rows of a fit, as a selection of blocks that other fits use as well.

    Parameters
    ----------
    url : str
        Of the store.
    given : GivenRows
    parts : list of int64 array
        Rows of each part, in the order in which they are cut.
    n_blocks : list of int
        Into how many blocks the rows of each part would be cut.
    """

    def __init__(self, url, given, parts, n_blocks):
        self._url, self._given = url, given
        self._of_class = given.of_class()
        weights = given.weights if self._of_class is None else None
        keys = keys_of_rows(given.X, given.labels, weights)
        means = [1.0 if weights is None else weights[rows].mean() for rows in parts]
        with _planning:
            self._shelf, self._numbers = _take(url, given, weights is not None, keys, means)
            try:
                self._shelf.add(self._numbers, given, weights, keys, parts, n_blocks)
            except BaseException:
                self.release()
                raise
            self._blocks = list(self._shelf.entries)  # others may add more

    def part(self, rows):
        """Return a part of the data, and what workers must know of it.

        Parameters
        ----------
        rows : int64 array
            Rows of the part.

        Returns
        -------
        part : Part
        options : dict
            Of the part, among the ``parts`` of the job's options.
        """
        given, shelf = self._given, self._shelf
        manifest = Manifest(
            "rows", None, None, given.X.shape[1], "float32", None, None, self._blocks
        )
        data = Dataset(self._url, manifest, rows=self._numbers[rows])
        center = given.columns.center
        if center is not None:
            center = center - shelf.center
            center = center if center.any() else None
        weights = None
        if given.weights is not None:
            mean = given.weights[rows].mean()  # so that a step has the size of a mean row's
            weights = np.full(given.n_classes, shelf.unit / mean)
            weights = weights if self._of_class is None else self._of_class / mean
        view = training_view(data, center, np.arange(given.n_classes), weights)
        names = list(data.blocks())
        return SelectedPart(shelf, names, len(rows)), {"view": view, "names": names}

    def release(self):
        """Say that this fit does not use the blocks any more."""
        give_back(self._shelf)


class SelectedPart(Part):
    """A part of the data whose rows are in some blocks of a shelf."""

    def __init__(self, shelf, names, n_rows):
        super().__init__((), len(names), n_rows)
        self._put = shelf.put_entry, names

    def put(self, store, keys, kind):
        """Put the blocks that are not there yet; yield the number of each that is there."""
        put_entry, names = self._put
        for number, name in enumerate(names):
            put_entry(store, name)
            yield number


class RowShelf(Shelf):
    """Blocks of rows that several fits take some of. Changed while ``_planning`` is held.

    Parameters
    ----------
    url : str
    center : float64 array of shape (n_features,) or None
        Taken off the rows.
    unit : float
        Of the weights.
    """

    def __init__(self, url, center, unit):
        super().__init__(url)
        self.center, self.unit = center, unit
        self.entries = []  # of a manifest
        self.index = RowIndex()
        self._cuts = {}  # what makes the blocks that are not there yet, by name

    @property
    def is_torn(self):
        """Whether a block is missing: who was to put it has failed, and kept its data for it."""
        return bool(self._cuts)

    def is_near(self, columns, means):
        """Return whether a fit has about the same centre and mean weights."""
        if not all(self.unit / _NEAR <= mean <= self.unit * _NEAR for mean in means):
            return False
        if self.center is None:
            return True
        scale = 1.0 if columns.scale is None else columns.scale
        return bool((np.abs(columns.center - self.center) <= scale).all())

    def add(self, numbers, given, weights, keys, parts, n_blocks):
        """Add the rows that are not known yet, whose numbers are -1; set these."""
        if weights is not None:
            weights = (weights / self.unit).astype(np.float32)
        for rows, n in zip(parts, n_blocks, strict=True):
            fresh = rows[numbers[rows] < 0]
            if not fresh.size:
                continue
            n = -(-fresh.size * n // len(rows))
            blocks = Blocks(given.X, given.labels, weights, fresh, n, self.center)
            for number in range(n):
                name = self.keys.block("rows", len(self.entries))
                self._cuts[name] = partial(blocks.cut, number)
                n_rows = len(blocks.rows(number))
                entry = {"name": name, "n_rows": n_rows, "digest": None, "classes": None}
                self.entries.append(entry)
            numbers[fresh] = np.arange(len(self.index), len(self.index) + fresh.size)
            self.index.add(keys[fresh])

    def put_entry(self, store, name):
        """Put a block unless it is there; whoever comes first does."""
        cut = self._cuts.get(name)
        if cut is not None:
            self.put(store, name, cut)
            self._cuts.pop(name, None)  # the rows that it was cut from are not kept


def _take(url, given, has_weights, keys, means):
    """Return the shelf that has most rows of a fit, or a new one, for one more fit.

    Return as well the number of each row there, -1 for those that are not known.
    """
    family = url, *given.kind(has_weights)
    sample = keys[:: max(1, len(keys) // _SAMPLE)]
    best, most = None, _LEAST_KNOWN
    for key, shelf in shelves_of(family):
        share = (shelf.index.find(sample) >= 0).mean()
        if share >= most and shelf.is_near(given.columns, means):
            best, most = (key, shelf), share
    key, numbers = (family, uuid.uuid4().hex), np.full(len(keys), -1)
    if best is not None:
        found = best[1].index.find(keys)
        in_the_end = len(best[1].index) + np.count_nonzero(found < 0)
        if in_the_end <= _MOST_UNUSED * len(keys):
            key, numbers = best[0], found
    shelf = take(key, lambda: RowShelf(url, given.columns.center, means[0]))
    if not len(shelf.index):  # the one that was found has been removed meanwhile
        numbers[:] = -1
    return shelf, numbers


def _after_fork_in_child():
    """The thread that holds the lock is the parent's."""
    global _planning
    _planning = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
