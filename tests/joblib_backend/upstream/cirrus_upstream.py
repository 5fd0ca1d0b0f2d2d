"""A plugin of pytest: joblib's and scikit-learn's own tests, with backend "cirrus" selected."""

import os

import joblib
import pytest

import sklearn_cirrus  # noqa: F401 (registers the backend)
from sklearn_cirrus.joblib_backend import CirrusBackend

N_JOBS = 2


def pytest_configure():
    """Let "cirrus" stand where joblib's tests say "loky", which is also joblib's default."""
    if os.environ.get("CIRRUS_UPSTREAM") == "joblib":
        joblib.register_parallel_backend("loky", CirrusBackend)


@pytest.fixture(autouse=True)
def selected_backend():
    """Select it for calls of scikit-learn that do not say which they want."""
    if os.environ.get("CIRRUS_UPSTREAM") == "joblib":
        yield
        return
    with joblib.parallel_config("cirrus", n_jobs=N_JOBS):
        yield
