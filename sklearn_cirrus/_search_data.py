"""The rows of a search: as blocks that say of each row what the splits do with it."""

from dataclasses import replace

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ._ingest import Part, count_blocks, make_blocks
from ._search_group import SearchGroup

FEW = 0.25  # of the fits of a table: the losses of fewer are not worth a pass of the workers


class SearchData:
    """The rows of a search, and its splits.

    Attributes
    ----------
    summed : tuple
        Values of ``scoring`` that are the held-out losses, with which workers may sum them up.
    nbytes : int or None
        About what the blocks take that are put; None: as much as ``X``.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features)
    labels : int array of shape (n_samples,)
        Class indices.
    classes : array of shape (n_classes,)
    weights : float64 array of shape (n_samples,) or None
    splits : list of (train, test)
        Indices of rows.
    """

    kind = SearchGroup  # of tables
    weights_name = "sample_weight"  # in fit
    summed = ("neg_log_loss",)
    nbytes = None

    def __init__(self, X, labels, classes, weights, splits):
        self.X = X
        self.labels = labels
        self.classes = classes
        self.weights = weights
        self.splits = splits
        self.n_rows = n = len(labels)
        counts = [np.bincount(part, minlength=n) for i in (0, 1) for part in _column(splits, i)]
        fits = max(int(count.max()) for count in counts) < 256
        self._folds = np.column_stack(counts).astype(np.uint8) if fits else None

    def can_share(self):
        """Return whether blocks can say of the rows what the splits do with them."""
        if self._folds is None:
            return False
        return all(
            len(np.unique(self.labels[train])) == len(self.classes)
            and len(test)
            and (self.weights is None or self.weights[train].any())
            for train, test in self.splits
        )

    def held_out_loss(self, estimator, split):
        """Return None: fits outside a table have the scores of the search alone."""

    def is_summed(self, ended, fits):
        """Return whether workers are to sum up the losses of fits, of which some have ended."""
        return self.weights is None and ended > FEW * fits  # with weights scores are weighted, too

    def score_of(self, loss):
        """Return the score of a fit of which workers have found the mean held-out loss."""
        return -loss

    def row_weights(self, params, split):
        """Return by class how the rows of a split weigh, and the sum of its rows' weights."""
        train = self.splits[split][0]
        labels = self.labels[train]
        own = None if self.weights is None else self.weights[train]
        of_class = np.ones(len(self.classes))
        if params.class_weight is not None:
            of_class = compute_class_weight(
                params.class_weight,
                classes=self.classes,
                y=self.classes[labels],
                sample_weight=own,
            )
        total = np.bincount(labels, own, len(self.classes)) @ of_class
        return of_class, float(total)

    def check(self, config):
        """Refuse settings by which workers could not reach the rows."""

    def options(self, columns):
        """Return what the job must know of the rows."""
        return {}

    def part(self, seed, n_workers, block_bytes, columns):
        """Return the rows as blocks, in random order, with what the splits do with them."""
        n = self.n_rows
        n_blocks = count_blocks(self.X, n, n_workers, block_bytes)
        rows = np.random.default_rng(seed).permutation(n).astype(np.int64, copy=False)
        return Part(self._blocks(rows, n_blocks, columns), n_blocks, n)

    def _blocks(self, rows, n_blocks, columns):
        """Yield the blocks of the rows in this order."""
        weights = None if self.weights is None else self.weights.astype(np.float32)
        labels = self.labels.astype(np.float32)
        made = make_blocks(self.X, labels, weights, rows, n_blocks, columns.center)
        for i, block in enumerate(made):
            part = rows[len(rows) * i // n_blocks : len(rows) * (i + 1) // n_blocks]
            yield replace(block, folds=self._folds[part].reshape(-1))


def _column(splits, i):
    """Return the train (0) or test (1) part of every split."""
    return [split[i] for split in splits]
