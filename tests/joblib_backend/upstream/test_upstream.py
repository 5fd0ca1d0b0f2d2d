"""joblib's and scikit-learn's own tests pass with backend "cirrus".

A few of them always; all of them with ``CIRRUS_TEST_UPSTREAM=1`` (some minutes). What cannot
apply is in ``cannot_apply.py``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
JOBLIB = "joblib.test.test_parallel"
# Those whose parameters name "loky", for which "cirrus" stands, and those that take the default.
JOBLIB_TESTS = "loky or cirrus or None or not backend"
SKLEARN = "sklearn.model_selection.tests."
CALLBACKS = [
    f"sklearn.callback.tests.test_{name}"
    for name in ("callback_support", "callback_context", "progressbar", "scoring_monitor")
]
FEW = " or ".join(
    (
        "(test_error_in_task_iterator and loky)",
        "(test_parallel_timeout_fail_with_generator and cirrus)",
        "(test_abort_backend and 2-cirrus)",
        "(test_deadlock_with_generator and 2-generator-cirrus and not -1)",
        "(test_parallel_unordered_generator_returns_fastest_first and cirrus-2)",
        "test_nested_exception_dispatch",
        "test_grid_search_cv_results_multimetric",
        "test_grid_search_failing_classifier",
        "test_pandas_input",
        "(test_grid_search_sparse and csr_array)",
        "test_search_cv_verbose_3",
    )
)


def run(folder, modules, which, timeout):
    """Run tests in a Python of its own; return how many passed."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "cirrus_upstream"),
            *("-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", folder, "--import-mode=importlib", "--tb=short"),
            *("-k", which, "--pyargs", *modules),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def test_a_few(tmp_path):
    assert run(tmp_path, [JOBLIB, SKLEARN + "test_search"], FEW, 280) >= 10


@pytest.mark.skipif(not os.environ.get("CIRRUS_TEST_UPSTREAM"), reason="CIRRUS_TEST_UPSTREAM=1")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("modules", "which", "least"),
    [
        ([JOBLIB], JOBLIB_TESTS, 100),
        ([SKLEARN + "test_search", SKLEARN + "test_successive_halving"], "test", 100),
        ([SKLEARN + "test_validation", SKLEARN + "test_classification_threshold"], "test", 100),
        (CALLBACKS, "test", 90),
    ],
    ids=["joblib", "searches", "validation", "callbacks"],
)
def test_all(tmp_path, modules, which, least):
    if modules is CALLBACKS:
        pytest.importorskip("sklearn.callback", reason="scikit-learn has them since 1.9")
    assert run(tmp_path, modules, which, 3500) > least
