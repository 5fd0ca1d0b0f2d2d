"""What all tests share: a clean environment, and the folder of real data."""

import contextlib
import fcntl
import os
import pickle
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

REPOSITORY = Path(__file__).resolve().parents[1]
_MOST_AT_ONCE = 8  # more processes of tests than this would only make bundles and servers anew


def pytest_configure(config):
    """Keep the caller's configuration out of the tests, and the tests out of any AWS account."""
    for name in list(os.environ):
        if name.startswith("CIRRUS_") and not name.startswith("CIRRUS_TEST_"):
            del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        # A child Python takes the installed package too, not the source tree it is started in.
        PYTHONSAFEPATH="1",
    )


def pytest_xdist_auto_num_workers(config):
    """Say how many processes run the tests, unless ``-n`` does: one more than there are cores.

    There are always some that wait: for a lease to run out, a server to start, a deadline.
    """
    return min(1 + (os.cpu_count() or 1), _MOST_AT_ONCE)


@pytest.fixture(scope="session", autouse=True)
def journals(tmp_path_factory):
    """Keep the journals of runs out of the user's own."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_linear_algebra():
    """Keep BLAS and OpenMP of this process to one thread, as workers do: matrices are small here.

    Threads that wait for each other by spinning take many times longer on a machine that also runs
    workers and a server.
    """
    import scipy.linalg  # noqa: F401 (loads the libraries to be limited)
    import sklearn.linear_model  # noqa: F401

    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def repository():
    """The source tree that these tests lie in (the package itself may be installed elsewhere)."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data (``a9a``, ``ml-latest-small``), or skip the test.

    It is the one that CIRRUS_TEST_DATA names, else ``shared/data`` beside the repository.
    """
    named = os.environ.get("CIRRUS_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (CIRRUS_TEST_DATA names another folder)")
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """The folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextlib.contextmanager
def one_at_a_time(folder):
    """Hold a folder's lock: of all processes that want to fill it, one does, the others wait."""
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or its process dies
        yield


@pytest.fixture(scope="session")
def wheels(shared_folder):
    """The folder in which the tests that build bundles share what they download."""
    folder = shared_folder / "wheels"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def worker_bundle(shared_folder, wheels):
    """The bundle of a worker for this machine and Python; skip if PyPI cannot be reached.

    It is built once for all processes of this run of the tests.
    """
    # Not at the head: the environment is to be cleaned before the package is imported.
    from sklearn_cirrus.bundle import Target, build_worker
    from sklearn_cirrus.exceptions import BundleError

    folder = shared_folder / "bundle"
    told = folder / "bundle.pickle"
    with one_at_a_time(folder):
        if told.exists():
            return pickle.loads(told.read_bytes())
        try:
            bundle = build_worker(Target.here(), folder, wheels=wheels)
        except BundleError as error:
            if "cannot be reached" not in str(error):
                raise
            pytest.skip(str(error))
        told.write_bytes(pickle.dumps(bundle))
    return bundle
