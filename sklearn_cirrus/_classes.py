"""The classes of labelled rows: which there are, and how much a row of each weighs."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ._validation import check_weights


def classes_of(y):
    """Return the classes of all rows, sorted; a single one is refused."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            "This solver needs samples of at least 2 classes in the data, but the data "
            f"contains only one class: {classes[0]!r}"
        )
    return classes


def classes_of_stream(y, classes, known):
    """Return the classes of a stream of rows, of which these are some.

    Parameters
    ----------
    y : array of shape (n_samples,)
    classes : array-like of shape (n_classes,) or None
        Those that the user names.
    known : array of shape (n_classes,) or None
        Those of the calls before.

    Raises
    ------
    ValueError
        If the user names less than two, or others than before, or y has others.
    """
    if known is None:
        known = np.unique(classes)
    elif classes is not None and not np.array_equal(known, np.unique(classes)):
        raise ValueError(
            f"classes={classes!r} is not the same as on last call to partial_fit, was: {known!r}"
        )
    if len(known) < 2:
        raise ValueError(f"classes must name at least 2 classes, not only {known!r}")
    unknown = np.setdiff1d(y, known)
    if unknown.size:
        raise ValueError(f"y has classes that partial_fit was not told of: {unknown!r}")
    return known


def row_weights(X, y, classes, labels, class_weight, sample_weight):
    """Return the weights of the rows, float64, or None where all are one.

    ``labels`` are the indices of the rows' classes.
    """
    weights = check_weights(sample_weight, X)
    if class_weight is None:
        return weights
    of_class = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=weights)
    return of_class[labels] * (1.0 if weights is None else weights)
