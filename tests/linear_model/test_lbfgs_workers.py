"""One result, bit for bit, for any number of workers, whatever becomes of them."""

import os
import signal

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
    offer, killed = FullBatchRun._offer, []

    def offer_then_kill(run, *leases):
        offer(run, *leases)
        if run._epoch in (when, when + 2) and run._epoch not in seen:
            seen.append(run._epoch)
            for handle in list(run.crew._handles.values())[: 1 + len(killed)]:
                handle.kill()
                killed.append(handle)

    seen = []
    monkeypatch.setattr(FullBatchRun, "_offer", offer_then_kill)
    assert_same_bits(train(X, y, n_workers=2), inline)
    assert len(killed) == 3


@pytest.mark.parametrize("when", [0, 3])
def test_a_killed_server_is_replaced(problem, when, monkeypatch):
    X, y, inline = problem
    offer, killed = FullBatchRun._offer, []

    def offer_then_kill(run, *leases):
        offer(run, *leases)
        if run._epoch == when and not killed:
            with shared_server().client() as client:
                killed.append(client.info("server")["process_id"])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(FullBatchRun, "_offer", offer_then_kill)
    model = train(X, y, n_workers=2)
    assert_same_bits(model, inline)
    assert sum(entry["server_restarts"] for entry in model.history_) == 1


def test_it_needs_no_more_than_the_first_server(problem):
    X, y, inline = problem
    urls = [shared_server().url, "unix:///nowhere"]
    with config_context(redis_url=urls):
        assert_same_bits(train(X, y, n_workers=2), inline)


def test_it_is_not_resumed(problem, tmp_path):
    X, y, _ = problem
    with config_context(resume="0123456789abcdef", store_url=f"file://{tmp_path}"):
        with pytest.raises(ValueError, match="solver='lbfgs' takes no checkpoints"):
            train(X, y)


def test_a_lease_done_twice_counts_once(problem, monkeypatch):
    X, y, inline = problem
    offer = FullBatchRun._offer

    def offer_twice(run, waiting, count):
        again = list(waiting)  # the same numbers
        offer(run, waiting, count)
        offer(run, again, count)

    monkeypatch.setattr(FullBatchRun, "_offer", offer_twice)
    assert_same_bits(train(X, y, n_workers=2), inline)


def test_nothing_stays_on_the_server(problem):
    import redis

    X, y, _ = problem
    train(X, y, n_workers=2)
    client = redis.Redis.from_url(shared_server().url)
    assert client.keys("cirrus:*") == []
    client.close()
