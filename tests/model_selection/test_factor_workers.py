"""A search over matrix factorizations on worker processes and servers, whatever becomes of them."""

import os
import signal

import numpy as np
import pytest

from sklearn_cirrus import CirrusMatrixFactorization, config_context
from sklearn_cirrus.model_selection import CirrusSearchCV, Ratings, RatingsKFold
from sklearn_cirrus.servers import shared
from sklearn_cirrus.workers import local

GRID = {"alpha": [0.02, 0.1, 0.5], "n_components": [1, 3]}
NOISE = 0.01  # of scores between 0.6 and 1.1: two workers do not see each other's last step
SETTINGS = {"block_bytes": 4096, "lease_seconds": 5.0, "retry_seconds": 2.0}


@pytest.fixture(scope="module")
def ratings():
    """300 users, 40 items, two planted factors and noise: some 20 blocks."""
    random = np.random.default_rng(4)
    X = 3 + random.normal(size=(300, 2)) @ random.normal(size=(2, 40)) + random.normal(size=40)
    X += 0.5 * random.normal(size=X.shape)
    X[random.random(X.shape) < 0.4] = np.nan
    return Ratings(X)


def search_on(ratings, callback=None, **parameters):
    """Search on three splits."""
    mf = CirrusMatrixFactorization(
        **{"backend": "local", "n_workers": 2, "batch_size": 10, "max_iter": 20, "tol": None}
        | {"random_state": 0}
        | parameters
    )
    cv = RatingsKFold(3, random_state=0)
    return CirrusSearchCV(mf, GRID, cv=cv, refit=False, callback=callback).fit(ratings)


@pytest.fixture(scope="module")
def expected(ratings):
    """The scores in one process, one step after the other."""
    scores = search_on(ratings, backend="inline", n_workers=None).cv_results_["mean_test_score"]
    assert np.ptp(scores) > 0.3
    return scores


def assert_as_good(search, expected):
    """The scores are as expected, and the fits have had all their epochs in one table."""
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=NOISE)
    (history,) = search.history_
    assert {entry["fits"] for entry in history[:-1]} == {18}
    assert [entry["epoch"] for entry in history] == list(range(1, 21))
    return history


@pytest.mark.parametrize("settings", [{"engine": "lua"}, {"n_servers": 2}], ids=str)
def test_two_workers(ratings, expected, settings):
    with config_context(**SETTINGS | settings):
        history = assert_as_good(search_on(ratings), expected)
    assert max(entry["workers"] for entry in history) == 2


@pytest.mark.parametrize("checkpoint_seconds", [None, 0.05])
def test_the_server_is_lost(ratings, expected, checkpoint_seconds):
    def lose_it(search):
        if not lost and min(row["epochs"] for row in search.leaderboard_) >= 3:
            with shared.shared_server().client() as client:
                os.kill(client.info("server")["process_id"], signal.SIGKILL)
            lost.append(True)

    lost = []
    with config_context(**SETTINGS | {"checkpoint_seconds": checkpoint_seconds}):
        history = assert_as_good(search_on(ratings, lose_it), expected)
    assert sum(entry["server_restarts"] for entry in history) >= 1


def test_a_killed_worker_is_replaced(ratings, expected):
    def kill(search):
        if not killed:
            killed.extend(process.pid for process in local.shared_pool()._all)
            os.kill(killed[0], signal.SIGKILL)

    killed = []
    with config_context(**SETTINGS):
        history = assert_as_good(search_on(ratings, kill), expected)
    assert sum(entry["workers_replaced"] for entry in history) >= 1
