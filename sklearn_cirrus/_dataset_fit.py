"""Logistic regression on a Dataset: the workers read the blocks where they lie.

It is a :class:`~sklearn_cirrus._logistic_fit.LogisticFit` that puts no blocks. What that learns of
the columns from all rows (scales, curvature, centre), this one learns from a sample: all of it
decides the size of steps alone, or is a change of variables that is undone at the end, so the
optimum is the same.
"""

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

from cirrus_runtime.views import pack_numbers

from ._classes import classes_of
from ._dataset.sample import sample_rows
from ._ingest import Part
from ._logistic_fit import LogisticFit
from ._resume import identity_of


class DatasetFit(LogisticFit):
    """One fit of logistic regression on a Dataset.

    Parameters
    ----------
    params : CirrusLogisticRegression
    config : Config
    data : Dataset
    labels : int array of shape (n_rows,)
        Class indices among ``classes``.
    class_weights : float64 array of shape (n_classes,) or None
    classes : int array of shape (n_classes,)
        Which of the dataset's classes they are.
    one_pass : bool
    """

    sees_all_rows = False

    def __init__(self, params, config, data, labels, class_weights, classes, *, one_pass=False):
        sample = sample_rows(data)
        super().__init__(params, config, sample, labels, None, len(classes), one_pass=one_pass)
        self.data, self.classes = data, classes
        self._of_class = class_weights
        if class_weights is not None:
            self.weights = class_weights[labels]

    @property
    def nbytes(self):
        """Bytes that the blocks of the run itself take: there are none."""
        return 0

    def _split(self):
        rows = np.arange(len(self.data))
        if not self.params.early_stopping or self.one_pass:
            return rows, rows[:0]
        return train_test_split(
            rows,
            test_size=float(self.params.validation_fraction),
            random_state=self.seed,
            stratify=self.labels,
        )

    def _n_blocks(self, *parts):
        return [len(self.data[rows].blocks()) if len(rows) else 0 for rows in parts]

    def _part(self, rows, n_blocks, columns):
        return Part((), n_blocks, len(rows))

    def _options(self, train_rows, valid_rows, columns):
        whole = len(train_rows) == len(self.data)
        parts = {"train": self.data if whole else self.data[train_rows]}
        if len(valid_rows):
            parts["valid"] = self.data[valid_rows]
        mean = 1.0 if self.weights is None or self.one_pass else self.weights[train_rows].mean()
        return {"parts": {
            name: {"view": self._view(data, columns, mean), "names": list(data.blocks())}
            for name, data in parts.items()
        }}  # fmt: skip

    def _view(self, data, columns, mean):
        """Return the view of a part, whose blocks are rows of float32 with labels of the fit."""
        if columns.center is not None:
            parts = {"center": pack_numbers(columns.center), "scale": None, "shift": None}
            data = data.with_step({"step": "affine", **parts, "clip": None})
        data = data.with_step({"step": "rows", "dtype": "float32"})
        becomes = np.zeros(len(data.manifest.classes))
        becomes[self.classes] = np.arange(len(self.classes))
        weights = None
        if self._of_class is not None:
            weights = (self._of_class / mean).tolist()
        return data.with_step(
            {"step": "labels", "becomes": becomes.tolist(), "weights": weights}
        ).view()

    def _identity(self, n_blocks):
        if self._known is None:
            digests = "".join(block["digest"] for block in self.data.manifest.blocks)
            picks = self.data.picks
            data = np.frombuffer(digests.encode(), np.uint8), self.labels, picks
            self._known = identity_of(self.params, *data, self.seed, n_blocks)
        return self._known


def classes_and_labels(data, y, sample_weight):
    """Return the classes that a Dataset has rows of, and each row's index among them.

    Parameters
    ----------
    data : Dataset
    y : array-like of shape (n_rows,) or None
    sample_weight : must be None

    Returns
    -------
    classes : array
    used : int array
        Their places among all classes of the dataset.
    labels : int array of shape (n_rows,)

    Raises
    ------
    ValueError
        If y is not the dataset's, or there is one class alone.
    """
    if sample_weight is not None:
        raise ValueError("sample_weight cannot be used with a Dataset")
    indices = data.label_indices()
    if y is not None and not np.array_equal(np.asarray(y), data.classes[indices]):
        raise ValueError("y is not the labels of the dataset: leave it out, or pass data.y")
    used, labels = np.unique(indices, return_inverse=True)
    return classes_of(data.classes[used]), used, labels


def weights_of_classes(class_weight, classes, labels):
    """Return the weight of each class, or None."""
    if class_weight is None:
        return None
    return compute_class_weight(class_weight, classes=classes, y=classes[labels])
