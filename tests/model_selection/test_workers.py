"""A search on worker processes and a server, whatever becomes of them."""

import os
import signal

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_cirrus import config_context
from sklearn_cirrus.model_selection import CirrusSearchCV
from sklearn_cirrus.servers import shared
from sklearn_cirrus.workers import local

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"C": [0.001, 0.02, 1.0], "tol": [1e-3, 1e-2]}


@pytest.fixture(scope="module")
def large():
    """More than 1 MiB of rows, so that there are several blocks."""
    random = np.random.default_rng(2)
    X = random.normal(size=(12000, 20)).astype(np.float32)
    y = (X[:, 0] - X[:, 1] + random.normal(size=12000) > 0).astype(int)
    return X, y


@pytest.fixture
def remote(clf):
    return clf.set_params(backend="local", n_workers=2, max_iter=25, batch_size=500)


@pytest.fixture(scope="module")
def expected(large):
    from sklearn.linear_model import LogisticRegression

    grid = {"C": GRID["C"], "tol": [1e-6, 1e-5]}
    exact = GridSearchCV(LogisticRegression(), grid, cv=2, scoring="neg_log_loss").fit(*large)
    return exact.cv_results_["mean_test_score"]


@pytest.mark.parametrize("engine", ["module", "lua"])
def test_two_workers(large, remote, expected, engine):
    with config_context(engine=engine):
        if engine == "lua":
            remote.set_params(max_iter=4)
        search = CirrusSearchCV(remote, GRID, cv=2, refit=False).fit(*large)
    assert max(entry["workers"] for entry in search.history_[0]) == 2
    atol = 0.003 if engine == "module" else 0.02
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=atol)


def test_two_servers(large, remote, expected):
    with config_context(n_servers=2):
        search = CirrusSearchCV(remote, GRID, cv=2, refit=False).fit(*large)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=0.003)


@pytest.mark.parametrize("checkpoint_seconds", [None, 0.05])
def test_the_server_is_lost(large, remote, expected, checkpoint_seconds):
    """While candidates are dropped and added: what comes after the last checkpoint is not lost."""

    def lose_it(search):
        board = {row["candidate"]: row["epochs"] for row in search.leaderboard_}
        if not done:
            done.append("added")
            search.add_candidates({"C": [0.02], "tol": [1e-3]})
        elif board.get(6) == 2 and len(done) == 1:
            with shared.shared_server().client() as client:
                os.kill(client.info("server")["process_id"], signal.SIGKILL)
            done.append("killed")

    done = []
    with config_context(checkpoint_seconds=checkpoint_seconds, retry_seconds=2.0):
        search = CirrusSearchCV(remote, GRID, cv=2, refit=False, callback=lose_it).fit(*large)
    assert done == ["added", "killed"]
    assert sum(entry["server_restarts"] for entry in search.history_[0]) >= 1
    assert search.cv_results_["params"][6] == {"C": 0.02, "tol": 1e-3}
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores[:6], expected, atol=0.004)
    np.testing.assert_allclose(scores[6], expected[2], atol=0.004)


def test_a_killed_worker_is_replaced(large, remote, expected):
    def kill(search):
        if not killed:
            killed.extend(process.pid for process in local.shared_pool()._all)
            os.kill(killed[0], signal.SIGKILL)

    killed = []
    with config_context(lease_seconds=5):
        search = CirrusSearchCV(remote, GRID, cv=2, refit=False, callback=kill).fit(*large)
    assert sum(entry["workers_replaced"] for entry in search.history_[0]) >= 1
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=0.004)
