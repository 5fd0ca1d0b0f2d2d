"""Ratings of known difficulty, made once."""

import numpy as np
import pytest

from sklearn_cirrus import CirrusMatrixFactorization


@pytest.fixture(scope="session")
def ratings():
    """60 users, 40 items, two planted factors and biases; half is missing. Dense, NaN."""
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 2)) @ random.normal(size=(2, 40)) + 3
    X += random.normal(size=(60, 1)) + random.normal(size=40) + 0.1 * random.normal(size=X.shape)
    X[random.random(X.shape) < 0.5] = np.nan
    X[7] = np.nan  # a user without ratings
    X[:, 3] = np.nan  # an item without ratings
    X[8] = np.nan
    X[8, 4] = 0.0  # a zero is a rating
    return X.astype(np.float32).astype(np.float64)


@pytest.fixture(scope="session")
def fitted(ratings):
    """A model of them; not to be changed."""
    model = CirrusMatrixFactorization(3, alpha=0.05, backend="inline", random_state=0)
    return model.fit(ratings)
