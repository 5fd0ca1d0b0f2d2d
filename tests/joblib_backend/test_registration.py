"""The backend is there once the package is imported, and costs nothing until it is used."""

import pickle
import subprocess
import sys

import joblib
from joblib import Parallel, delayed

from sklearn_cirrus.joblib_backend import CirrusBackend


def test_importing_the_package_registers_the_backend_and_imports_none_of_it():
    program = (
        "import sys, sklearn_cirrus, joblib\n"
        "assert 'cirrus' in joblib.parallel.BACKENDS\n"
        "late = [m for m in sys.modules if m.startswith('sklearn_cirrus.joblib_backend')]\n"
        "assert not late and 'sklearn_cirrus.workers' not in sys.modules, late\n"
        "with joblib.parallel_config('cirrus', n_jobs=4) as config:\n"
        "    backend, n_jobs = joblib.parallel.get_active_backend()\n"
        "print(type(backend).__name__, n_jobs, 'boto3' in sys.modules)\n"
        "import threading; assert threading.active_count() == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["CirrusBackend", "4", "False"], done.stderr


def test_configuring_starts_nothing():
    import threading

    before = threading.active_count()
    with Parallel(n_jobs=2, backend="cirrus"):
        assert threading.active_count() == before


def test_a_backend_can_be_pickled_while_it_works():
    with joblib.parallel_config("cirrus", n_jobs=2, retries=5):
        backend, _ = joblib.parallel.get_active_backend()
        results = Parallel(return_as="generator")(delayed(abs)(i) for i in range(4))
        other = pickle.loads(pickle.dumps(backend))
        assert list(results) == [0, 1, 2, 3]
    assert isinstance(other, CirrusBackend)
    with joblib.parallel_config(other, n_jobs=2):
        assert Parallel()(delayed(abs)(i) for i in range(3)) == [0, 1, 2]
