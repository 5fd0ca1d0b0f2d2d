"""Fits and searches to draw, made once; nothing is shown."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from sklearn_cirrus import CirrusLogisticRegression  # noqa: E402


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    return X, (X[:, 0] + rng.logistic(size=400) > 0).astype(int)


@pytest.fixture(scope="session")
def make_model():
    def make(**params):
        given = {"backend": "inline", "random_state": 0, "max_iter": 6, "tol": None}
        return CirrusLogisticRegression(**given | params)

    return make
