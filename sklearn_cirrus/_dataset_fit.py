"""Logistic regression on a Dataset: the workers read the blocks where they lie.

It is a :class:`~sklearn_cirrus._logistic_fit.LogisticFit` that puts no blocks. What that learns of
the columns from all rows (scales, curvature, centre), this one learns from a sample: all of it
decides the size of steps alone, or is a change of variables that is undone at the end, so the
optimum is the same. What it does not do, unless the sample is all there is, is to look in the end
whether the objective can be lowered: that takes all rows in this process.
"""

import json

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ._classes import classes_of, classes_of_stream
from ._convergence import warn_of_nonconvergence
from ._dataset.moments import check_columns, take_columns
from ._dataset.sample import sample_rows
from ._dataset.training import training_view
from ._dataset_lbfgs import DatasetLbfgsFit
from ._ingest import Part
from ._logistic_fit import LogisticFit
from ._logistic_state import warm_start
from ._reach import check_reach
from ._resume import identity_of
from ._stages import OF_CALLER


def fit_dataset(model, config, data, y, sample_weight):
    """Fit a CirrusLogisticRegression on a Dataset.

    Parameters
    ----------
    model : CirrusLogisticRegression
    config : Config
    data : Dataset
    y : array-like of shape (n_rows,) or None
        The dataset's labels, if given.
    sample_weight : must be None
    """
    indices = _label_indices(data, y, sample_weight)
    counts = np.bincount(indices, minlength=len(data.classes))
    classes = classes_of(data.classes[counts > 0])
    _train(model, config, data, indices, counts, classes, warm_start(model, data, classes))
    take_columns(model, data)


def partial_fit_dataset(model, config, data, y, classes, sample_weight, start):
    """Train a CirrusLogisticRegression for one epoch on a Dataset; see :func:`fit_dataset`.

    Parameters
    ----------
    classes : array-like or None
        As of ``partial_fit``.
    start : LogisticState or None
    """
    if start is not None:
        check_columns(model, data)
    indices = _label_indices(data, y, sample_weight)
    counts = np.bincount(indices, minlength=len(data.classes))
    known = None if start is None else model.classes_
    classes = classes_of_stream(data.classes[counts > 0], classes, known)
    _train(model, config, data, indices, counts, classes, start, one_pass=True)
    if known is None:
        take_columns(model, data)


def _label_indices(data, y, sample_weight):
    """Return the index of each row's label among the classes of the dataset."""
    if sample_weight is not None:
        raise ValueError(
            "sample_weight cannot be used with a Dataset: weigh classes with class_weight"
        )
    if not len(data):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    indices = data.label_indices()
    if y is not None and not np.array_equal(np.asarray(y), data.classes[indices]):
        raise ValueError("y is not the labels of the dataset: leave it out, or pass data.y")
    return indices


def _train(model, config, data, indices, counts, classes, start, one_pass=False):
    """Train, and set the fitted attributes."""
    becomes = np.searchsorted(classes, data.classes)
    becomes[counts == 0] = 0  # perhaps none of the classes, and nobody's
    weights = None
    if model.class_weight is not None:
        counts = np.bincount(becomes, counts, minlength=len(classes))
        weights = compute_class_weight(
            model.class_weight, classes=classes, y=classes, sample_weight=counts
        )
    told = model, config, data, becomes, indices, weights, len(classes)
    if model.solver == "lbfgs":
        # Not the state: its weights are of float32.
        start = start and (model.coef_, model.intercept_)
        outcome = DatasetLbfgsFit(*told).run(start)
    else:
        outcome = DatasetFit(*told, one_pass).run(start)
    model.classes_ = classes
    model._take(outcome)
    if not one_pass:
        warn_of_nonconvergence(model, outcome, len(classes), OF_CALLER + 2)


class DatasetFit(LogisticFit):
    """One fit of logistic regression on a Dataset.

    Parameters
    ----------
    params : CirrusLogisticRegression
    config : Config
    data : Dataset
    becomes : int array
        Which class of the fit each class of the dataset is.
    indices : int array of shape (n_rows,)
        Class of each row among those of the dataset.
    class_weights : float64 array of shape (n_classes,) or None
    n_classes : int
    one_pass : bool
    """

    nbytes = 0  # no blocks are put

    def __init__(
        self, params, config, data, becomes, indices, class_weights, n_classes, one_pass=False
    ):
        labels = becomes[indices]
        super().__init__(
            params, config, sample_rows(data), labels, None, n_classes, one_pass=one_pass
        )
        check_reach(self.config, data.url)
        self.data, self._becomes, self._of_class = data, becomes, class_weights
        if class_weights is not None:
            self.weights = class_weights[labels]
        in_order = data.picks is None or (np.diff(data.picks) >= 0).all()
        self.sees_all_rows = in_order and self.X.shape[0] == len(data)

    def _split(self):
        return self._hold_out(np.arange(len(self.data)))

    def _n_blocks(self, *parts):
        return [self._rows(rows).n_blocks if len(rows) else 0 for rows in parts]

    def _rows(self, rows):
        """Return the dataset of some rows."""
        return self.data if len(rows) == len(self.data) else self.data[rows]

    def _shared_parts(self, run, rows, n_blocks, columns):
        return None  # a dataset is shared anyway

    def _part(self, rows, n_blocks, columns):
        return Part((), n_blocks, len(rows))

    def _options(self, train_rows, valid_rows, columns):
        parts = {"train": self._rows(train_rows)}
        if len(valid_rows):
            parts["valid"] = self._rows(valid_rows)
        mean = 1.0 if self.weights is None or self.one_pass else self.weights[train_rows].mean()
        return {"parts": {
            name: {"view": self._view(data, columns, mean), "names": list(data.blocks())}
            for name, data in parts.items()
        }}  # fmt: skip

    def _view(self, data, columns, mean):
        """Return the view of a part."""
        weights = None if self._of_class is None else self._of_class / mean
        return training_view(data, columns.center, self._becomes, weights)

    def _identity(self, n_blocks):
        if self._known is None:
            what = [block["digest"] for block in self.data.manifest.blocks], self.data.steps
            what = np.frombuffer(json.dumps(what).encode(), np.uint8)
            data = what, self.labels, self.data.picks
            self._known = identity_of(self.params, *data, self.seed, n_blocks)
        return self._known
