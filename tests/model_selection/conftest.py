"""Small data with a known best strength of the penalty, and searches over it."""

import numpy as np
import pytest

from cirrus_runtime.store import FolderStore
from sklearn_cirrus import CirrusLogisticRegression

from .searches_on_threads import BLOCK


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


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks for little data; joblib's threads see the environment."""
    monkeypatch.setenv("CIRRUS_BLOCK_BYTES", str(BLOCK))


@pytest.fixture
def puts(monkeypatch):
    """Return the list of the names of blocks that this process puts."""
    names, put = [], FolderStore.put

    def count(store, name, data):
        if name.endswith(".safetensors"):
            names.append(name)
        put(store, name, data)

    monkeypatch.setattr(FolderStore, "put", count)
    return names
