"""Data of known difficulty, made once."""

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="session")
def raw_cancer():
    """Breast cancer as it comes: columns from 0.001 to 4000."""
    return datasets.load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="session")
def cancer(raw_cancer):
    """Breast cancer, scaled: 569 rows, 30 columns, 2 classes."""
    X, y = raw_cancer
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="session")
def digits():
    """Digits, not scaled: 1797 rows, 64 columns, 10 classes."""
    return datasets.load_digits(return_X_y=True)


@pytest.fixture(scope="session")
def iris():
    """Iris: 150 rows, 4 columns, 3 classes."""
    return datasets.load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def a9a(data_dir):
    """a9a: 32,561 rows, 123 columns of zeros and ones, sparse."""
    path = data_dir / "a9a"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    X, y = datasets.load_svmlight_file(str(path), n_features=123)
    return X, (y > 0).astype(int)


@pytest.fixture(scope="session")
def noisy():
    """Labels drawn from a known logistic model: 2000 rows, 5 columns, far from separable."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5)) * [1, 2, 0.5, 1, 3] + [0, 1, 0, -2, 0]
    margins = X @ [1.0, -0.5, 1.0, 0.0, 0.3] + 0.5
    return X, (margins + rng.logistic(size=2000) > 0).astype(int)


@pytest.fixture(scope="session")
def many_blocks():
    """30,000 rows, 20 columns, 2.4 MB: several blocks by default, a hundred on request."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30_000, 20)).astype(np.float32)
    margins = X @ rng.normal(size=20)
    return X, (margins + rng.logistic(size=30_000) > 0).astype(int)
