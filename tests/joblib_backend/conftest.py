"""What the tests of the joblib backend share."""

import os
import threading
import time
from pathlib import Path

import cloudpickle
import joblib
import pytest

import sklearn_cirrus  # noqa: F401 (registers the backend)
from sklearn_cirrus import _scratch


@pytest.fixture(autouse=True)
def functions_travel(request):
    """Send the functions of a test's module along with the task: workers cannot import it."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture
def cirrus():
    """Two local workers, for the calls of a test."""
    with joblib.parallel_config("cirrus", n_jobs=2):
        yield


@pytest.fixture
def stored():
    """Count what is in the store of this process now."""

    def count():
        folder = _scratch._scratch and _scratch._scratch.folder
        if folder is None:
            return 0
        # Datasets that have no url of their own are kept there for the process.
        folders = (here for here, _, _ in os.walk(folder) if "datasets" not in Path(here).parts)
        return sum(len(files) for here in folders for files in [next(os.walk(here))[2]])

    return count


@pytest.fixture(autouse=True)
def nothing_is_left(stored):
    """No test may leave a thread or an object."""
    yield
    deadline = time.monotonic() + 5
    while _dispatchers() or stored():
        assert time.monotonic() < deadline, (_dispatchers(), stored())
        time.sleep(0.01)


def _dispatchers():
    return [thread for thread in threading.enumerate() if thread.name == "cirrus-dispatcher"]


@pytest.fixture
def puts(monkeypatch):
    """Collect the names and sizes of the objects that are put into the store."""
    from cirrus_runtime.store import FolderStore

    collected, put = [], FolderStore.put

    def spy(self, name, data):
        collected.append((Path(name).name, memoryview(data).nbytes))
        return put(self, name, data)

    monkeypatch.setattr(FolderStore, "put", spy)
    return collected
