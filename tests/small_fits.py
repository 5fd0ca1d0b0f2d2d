"""Fits that take no time, for tests of what is shown of fits."""

import numpy as np

from sklearn_cirrus import CirrusLogisticRegression


def draw_small():
    """Return X and y: 400 rows, 3 columns, of which one matters."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    return X, (X[:, 0] + rng.logistic(size=400) > 0).astype(int)


def small_model(**params):
    """Return an estimator of five epochs."""
    given = {"backend": "inline", "random_state": 0, "max_iter": 5, "tol": None}
    return CirrusLogisticRegression(**given | params)
