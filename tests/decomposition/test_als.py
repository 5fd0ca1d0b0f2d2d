"""Alternating least squares: the objective of an oracle in float64, and the same bits always."""

import os
import signal

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import get_config
from sklearn_cirrus._als_fit import AlsFit
from sklearn_cirrus._als_run import AlsRun
from sklearn_cirrus.exceptions import DivergenceError
from sklearn_cirrus.servers import shared

from ..faults.conftest import SETTINGS, assert_nothing_left
from .planted import (
    DEFAULTS,
    N_ITEMS,
    N_USERS,
    RANK,
    Parameters,
    definition,
    least_objective,
    objective,
    planted,
)

LOCAL = {"backend": "local", "block_bytes": 4000}


@pytest.fixture(scope="module")
def X():
    return planted()


def solve(X, weights=None, start=None, settings=None, **parameters):
    """Return the outcome of a fit by alternating least squares."""
    parameters = Parameters(**DEFAULTS | {"solver": "als"} | parameters)
    config = get_config(**{"backend": "inline"} | (settings or {}))
    mean = float(X.data.mean(dtype=np.float64)) if parameters.biased else 0.0
    return AlsFit(parameters, config, X, weights, mean).run(start)


def first_items(seed=3, width=RANK + 1):
    return np.random.default_rng(seed).normal(0, 0.3, (N_ITEMS, width)).astype(np.float32)


@pytest.mark.parametrize("biased", [True, False])
def test_iterations_are_those_of_the_oracle(X, biased):
    start = first_items(width=RANK + biased)
    outcome = solve(X, start=start, max_iter=3, tol=None, biased=biased)
    sides = definition(X, biased=biased), definition(sparse.csr_array(X.T), biased=biased)
    items = start.astype(np.float64)
    for _ in range(3):
        users = np.array([sides[0].solve(user, items) for user in range(N_USERS)])
        items = np.array([sides[1].solve(item, users) for item in range(N_ITEMS)])
    np.testing.assert_allclose(outcome.items, items, rtol=2e-3, atol=2e-4)
    assert outcome.history[-1]["objective"] == pytest.approx(
        objective(X, items, biased=biased), 1e-5
    )
    assert (outcome.n_iter, len(outcome.history)) == (3, 3)


def test_the_objective_falls_to_the_least(X):
    outcome = solve(X, max_iter=40, tol=1e-6)
    objectives = [entry["objective"] for entry in outcome.history]
    assert all(after <= before for before, after in zip(objectives, objectives[1:], strict=False))
    assert objectives[-1] == pytest.approx(objective(X, outcome.items), rel=1e-5)
    assert objectives[-1] < 1.002 * least_objective(X)


def test_it_ends_when_an_iteration_gains_too_little(X):
    outcome = solve(X, max_iter=100, tol=1e-3)
    one, other = (entry["objective"] for entry in outcome.history[-2:])
    assert outcome.converged and outcome.n_iter < 100
    assert one - other <= 1e-3 * other
    assert not solve(X, max_iter=1, tol=1e-9).converged
    assert solve(X, max_iter=2, tol=None).n_iter == 2


def assert_same_bits(outcome, expected):
    assert outcome.items.tobytes() == expected.items.tobytes()
    same = ("epoch", "objective", "train_loss", "rows")
    same += ("valid_loss",) if "valid_loss" in expected.history[0] else ()
    assert [[entry[name] for name in same] for entry in outcome.history] == [
        [entry[name] for name in same] for entry in expected.history
    ]


FORMS = {
    "plain": {},
    "weights": {"weights": True},
    "early_stopping": {"early_stopping": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_any_number_of_workers_gives_the_same_bits(X, form):
    parameters = {"max_iter": 4, "tol": None} | FORMS[form]
    if "weights" in parameters:
        parameters["weights"] = np.random.default_rng(0).random(X.nnz)
    expected = solve(X, settings=LOCAL | {"backend": "inline"}, **parameters)
    for more in ({"n_workers": 1}, {"n_workers": 2, "engine": "lua"}, {"n_workers": 3}):
        outcome = solve(X, settings=LOCAL | more, **parameters)
        assert_same_bits(outcome, expected)
    outcome = solve(X, settings=LOCAL | {"n_workers": 2, "buffer_bytes": 0}, **parameters)
    assert_same_bits(outcome, expected)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("when", [0, 3])
@pytest.mark.parametrize("what", ["workers", "server"])
def test_whoever_is_killed_the_bits_are_the_same(monkeypatch, X, what, when):
    expected = solve(X, max_iter=5, tol=None, settings=LOCAL | {"backend": "inline"})
    offer, runs = AlsRun._offer, []

    def offer_then_kill(run, *leases):
        offer(run, *leases)
        if run._epoch != when or runs:
            return
        runs.append(run)
        pids = [handle.pid for handle in run.crew._handles.values() if handle.poll() is None]
        if what == "server":
            with shared.shared_server(None, 0).client() as client:
                pids = [client.info("server")["process_id"]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(AlsRun, "_offer", offer_then_kill)
    outcome = solve(X, max_iter=5, tol=None, settings=SETTINGS | LOCAL)
    assert_same_bits(outcome, expected)
    counted = "workers_replaced" if what == "workers" else "server_restarts"
    assert sum(entry[counted] for entry in outcome.history) >= 1
    assert_nothing_left(runs[0])


def test_a_lease_done_twice_counts_once(monkeypatch, X):
    expected = solve(X, max_iter=2, tol=None, settings=LOCAL | {"backend": "inline"})
    offer = AlsRun._offer

    def offer_twice(run, waiting, count):
        again = list(waiting)  # the same numbers
        offer(run, waiting, count)
        offer(run, again, count)

    monkeypatch.setattr(AlsRun, "_offer", offer_twice)
    assert_same_bits(solve(X, max_iter=2, tol=None, settings=LOCAL | {"n_workers": 2}), expected)


def test_weights_are_repeated_ratings(X):
    times = np.random.default_rng(0).integers(0, 4, X.nnz)
    start, mean = first_items(), float(X.data.mean(dtype=np.float64))
    weighted = solve(X, times.astype(np.float32), start=start, max_iter=3, tol=None)
    found = objective(X, weighted.items, weights=times.astype(np.float32))
    assert weighted.history[-1]["objective"] == pytest.approx(found, rel=1e-5)
    ends = np.append(0, np.cumsum(times))[X.indptr]
    parts = np.repeat(X.data, times), np.repeat(X.indices, times), ends
    repeated = sparse.csr_array(parts, shape=X.shape)
    parameters = Parameters(**DEFAULTS | {"max_iter": 3, "tol": None})
    outcome = AlsFit(parameters, get_config(backend="inline"), repeated, None, mean).run(start)
    np.testing.assert_allclose(weighted.items, outcome.items, rtol=1e-3, atol=1e-4)
    one, other = (o.history[-1]["objective"] for o in (weighted, outcome))
    assert one == pytest.approx(other, rel=1e-5)


def test_it_goes_on_where_it_stopped(X):
    whole = solve(X, max_iter=4, tol=None)
    half = solve(X, max_iter=2, tol=None)
    rest = solve(X, start=half.items, max_iter=2, tol=None)
    assert rest.items.tobytes() == whole.items.tobytes()


def test_held_out_ratings_choose_the_items():
    X = planted(120, 60)
    outcome = solve(
        X, early_stopping=True, validation_fraction=0.2, alpha=0.01, n_components=10,
        max_iter=40, n_iter_no_change=3,
    )  # fmt: skip
    losses = [entry["valid_loss"] for entry in outcome.history]
    best = int(np.argmin(losses))
    assert len(losses) < 40 and best < len(losses) - 1
    again = solve(
        X, early_stopping=True, validation_fraction=0.2, alpha=0.01, n_components=10,
        max_iter=best + 1, n_iter_no_change=3,
    )  # fmt: skip
    assert outcome.items.tobytes() == again.items.tobytes()


def test_something_must_be_left_to_train_on():
    X = sparse.csr_array(np.array([[1.0, 2.0]], np.float32))
    with pytest.raises(ValueError, match="left to train on: choose a smaller validation_fraction"):
        solve(X, early_stopping=True, validation_fraction=0.99)


def test_a_penalty_below_float32(X):
    outcome = solve(X, alpha=1e-60, max_iter=2, tol=None)
    assert outcome.items.any() and np.isfinite(outcome.items).all()
    first, last = (entry["objective"] for entry in outcome.history)
    assert last < first


def test_items_without_ratings_are_zero(X):
    wider = sparse.csr_array((X.data, X.indices, X.indptr), shape=(N_USERS, N_ITEMS + 2))
    assert not solve(wider, max_iter=2).items[N_ITEMS:].any()


def test_bodies_beyond_what_redis_takes_are_refused():
    rng = np.random.default_rng(0)
    n_items = 30_000
    indices = np.arange(n_items)
    data = rng.normal(3, 1, n_items).astype(np.float32)
    X = sparse.csr_array((data, (indices % 50, indices)), shape=(50, n_items))
    with pytest.raises(ValueError, match="Redis takes no more than 512"):
        solve(X, n_components=100, settings={"backend": "local"})


def test_it_cannot_be_resumed(X, tmp_path):
    with pytest.raises(ValueError, match="cannot be resumed"):
        solve(X, settings={"backend": "local", "store_url": tmp_path.as_uri(), "resume": "a1"})


def test_numbers_beyond_float32_are_told(X):
    huge = sparse.csr_array((X.data * np.float32(1e25), X.indices, X.indptr), shape=X.shape)
    with pytest.raises(DivergenceError):
        solve(huge, max_iter=3)
