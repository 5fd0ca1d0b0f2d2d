"""One result, bit for bit, for any number of workers, whatever becomes of them."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus._full_batch import FullBatchRun
from sklearn_cirrus.servers import shared_server


def train(X, y, **parameters):
    parameters = {"backend": "local", "tol": 1e-6} | parameters
    return CirrusLogisticRegression(solver="lbfgs", **parameters).fit(X, y)


def assert_same_bits(model, other):
    assert model.coef_.tobytes() == other.coef_.tobytes()
    assert model.intercept_.tobytes() == other.intercept_.tobytes()
    same = ("epoch", "objective", "train_loss", "gradient", "evaluations", "rows")
    assert [[entry[name] for name in same] for entry in model.history_] == [
        [entry[name] for name in same] for entry in other.history_
    ]


@pytest.fixture(scope="module")
def wide():
    """20,000 sparse rows of 30,000 columns and three classes: a block has a part of the columns."""
    rng = np.random.default_rng(0)
    columns = (30_000 * rng.random((20_000, 12)) ** 3).astype(np.int32)
    indptr = np.arange(0, columns.size + 1, 12)
    values = rng.random(columns.size) + 0.5
    X = sparse.csr_matrix((values, columns.ravel(), indptr), (20_000, 30_000))
    scores = X @ rng.standard_normal((30_000, 3))
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


@pytest.fixture(scope="module", params=["many_blocks", "wide"])
def problem(request):
    """Data of several blocks, and the model of backend inline."""
    X, y = request.getfixturevalue(request.param)
    return X, y, train(X, y, backend="inline")


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_any_number_of_workers(problem, n_workers):
    X, y, inline = problem
    assert_same_bits(train(X, y, n_workers=n_workers), inline)


def test_a_server_without_the_module(problem):
    X, y, inline = problem
    with config_context(engine="lua"):
        assert_same_bits(train(X, y, n_workers=2), inline)


@pytest.mark.parametrize("buffer_bytes", [0, 1 << 21])
def test_workers_that_cannot_keep_their_blocks(problem, buffer_bytes):
    X, y, inline = problem
    with config_context(buffer_bytes=buffer_bytes):
        assert_same_bits(train(X, y, n_workers=2), inline)


@pytest.mark.parametrize("when", [0, 3])
def test_killed_workers_are_replaced(problem, when, monkeypatch):
    X, y, inline = problem
    await_all, killed = FullBatchRun._await, []

    def kill_then_await(run, count, n_rows):
        if run._evaluations in (when + 1, when + 3):  # leases have just been offered
            for handle in list(run._handles.values())[: 1 + len(killed)]:
                handle.kill()
                killed.append(handle)
        return await_all(run, count, n_rows)

    monkeypatch.setattr(FullBatchRun, "_await", kill_then_await)
    assert_same_bits(train(X, y, n_workers=2), inline)
    assert len(killed) == 3


def test_a_lease_done_twice_counts_once(problem, monkeypatch):
    X, y, inline = problem
    offer = FullBatchRun._offer

    def offer_twice(run, leases):
        offer(run, leases)
        first, run._leases = run._leases, run._leases - len(leases)
        offer(run, leases)  # the same numbers
        assert run._leases == first

    monkeypatch.setattr(FullBatchRun, "_offer", offer_twice)
    assert_same_bits(train(X, y, n_workers=2), inline)


def test_nothing_stays_on_the_server(problem):
    import redis

    X, y, _ = problem
    train(X, y, n_workers=2)
    client = redis.Redis.from_url(shared_server().url)
    assert client.keys("cirrus:*") == []
    client.close()
