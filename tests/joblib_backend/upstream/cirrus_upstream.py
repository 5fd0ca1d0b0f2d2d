"""A plugin of pytest: joblib's and scikit-learn's own tests, with backend "cirrus" selected.

``pytest -p cirrus_upstream --import-mode=importlib --pyargs joblib.test.test_parallel``, with this
folder on PYTHONPATH. What cannot apply is expected to fail, each with its reason, and may not pass.
"""

import joblib
import pytest
from cannot_apply import CANNOT_APPLY, MAY_FAIL

import sklearn_cirrus  # noqa: F401 (registers the backend)
from sklearn_cirrus.joblib_backend import CirrusBackend

N_JOBS = 2


def pytest_addoption(parser):
    parser.addoption(
        "--select-backend",
        default="cirrus",
        help="another one, to see whether a test fails with joblib's own too",
    )


def pytest_configure(config):
    """Let "cirrus" stand where joblib's tests say "loky", which is also joblib's default."""
    if config.getoption("--select-backend") == "cirrus" and any("joblib" in a for a in config.args):
        joblib.register_parallel_backend("loky", CirrusBackend)


def pytest_collection_modifyitems(config, items):
    """Mark what cannot apply."""
    if config.getoption("--select-backend") != "cirrus":
        return
    for item in items:
        for name, reason in (CANNOT_APPLY | MAY_FAIL).items():
            if item.name == name or item.name.startswith((f"{name}[", f"{name}-", f"{name}]")):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=name in CANNOT_APPLY))


@pytest.fixture(autouse=True)
def selected_backend(request):
    """Select it for calls of scikit-learn that do not say which they want."""
    if "joblib" in request.module.__name__.split("."):
        yield
        return
    with joblib.parallel_config(request.config.getoption("--select-backend"), n_jobs=N_JOBS):
        yield
