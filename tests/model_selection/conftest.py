"""Small data with a known best strength of the penalty, and searches over it."""

import numpy as np
import pytest

from sklearn_cirrus import CirrusLogisticRegression


@pytest.fixture(scope="session")
def data():
    """600 rows of which a third of the labels is noise: neither extreme of C is best."""
    random = np.random.default_rng(5)
    X = random.normal(size=(600, 12))
    y = (X[:, 0] + 0.5 * X[:, 1] + random.normal(size=600) > 0).astype(int)
    return X, y


@pytest.fixture
def clf():
    return CirrusLogisticRegression(backend="inline", random_state=0, max_iter=30)
