"""Fits of matrix factorization: the objective's minimum, on every engine, backend and solver."""

import numpy as np
import pytest
from scipy import sparse

from cirrus_runtime.model_spec import SLOTS
from sklearn_cirrus._rating_blocks import RatingBlocks

from ..runtime.factorization_oracle import Ratings
from .planted import ALPHA, N_ITEMS, N_USERS, factorize, least_objective, objective, planted

TWO_WORKERS = {"backend": "local", "n_workers": 2, "block_bytes": 4000}


@pytest.fixture(scope="module")
def X():
    return planted()


@pytest.fixture(scope="module")
def least(X):
    return least_objective(X)


@pytest.mark.parametrize("solver", list(SLOTS))
def test_every_solver_comes_near_the_least_objective(X, least, solver):
    outcome = factorize(X, solver=solver, max_iter=40, n_iter_no_change=10)
    found = objective(X, outcome.items)
    assert least * 0.99 < found < least * 1.05
    assert outcome.history[-1]["objective"] == pytest.approx(found, rel=0.02)
    assert outcome.converged
    assert outcome.items.shape == (N_ITEMS, 4) and outcome.items.dtype == np.float32


@pytest.mark.parametrize("scale", [0.1, 30.0])
@pytest.mark.parametrize("solver", ["sgd", "adagrad", "adam"])
def test_automatic_rates_suit_ratings_of_any_size(X, solver, scale):
    X = X * np.float32(scale)
    level = float(((X.data - X.data.mean()) ** 2).mean())
    outcome = factorize(X, solver=solver, max_iter=20)
    assert outcome.history[-1]["objective"] < 0.8 * level
    least = min(entry["objective"] for entry in outcome.history)
    assert outcome.history[-1]["objective"] < 1.01 * least


def test_without_biases(X):
    outcome = factorize(X, biased=False, max_iter=40)
    assert outcome.items.shape == (N_ITEMS, 3)
    found = objective(X, outcome.items, biased=False)
    assert found < 1.1 * least_objective(X, biased=False)


@pytest.mark.parametrize(
    "settings", [{}, {"n_servers": 2}, {"engine": "lua"}], ids=["module", "servers", "lua"]
)
def test_a_worker_alone_gives_the_bits_of_backend_inline(X, settings):
    expected = factorize(X, max_iter=3)
    outcome = factorize(X, max_iter=3, settings={"backend": "local", "n_workers": 2} | settings)
    if "engine" in settings:
        np.testing.assert_allclose(outcome.items, expected.items, rtol=1e-3, atol=1e-5)
    else:
        assert outcome.items.tobytes() == expected.items.tobytes()
    same = ("objective", "train_loss", "learning_rate", "rows", "updates")
    for one, other in zip(outcome.history, expected.history, strict=True):
        assert [one[name] for name in same] == pytest.approx([other[name] for name in same])
    assert {entry["workers"] for entry in outcome.history} == {1}


def test_two_workers_share_many_blocks(X, least):
    outcome = factorize(X, max_iter=25, settings=TWO_WORKERS)
    assert objective(X, outcome.items) < 1.08 * least
    assert {entry["rows"] for entry in outcome.history} == {X.nnz}


def test_ratings_of_weight_zero_are_as_if_they_were_not_there(X):
    random = np.random.default_rng(0)
    kept = random.random(X.nnz) < 0.7
    rows = np.repeat(np.arange(N_USERS), np.diff(X.indptr))
    less = sparse.csr_array((X.data[kept], (rows[kept], X.indices[kept])), shape=X.shape)
    less.sort_indices()
    spoilt = sparse.csr_array((np.where(kept, X.data, 50), X.indices, X.indptr), shape=X.shape)
    mean = float(less.data.mean(dtype=np.float64))
    weights = 7.0 * kept  # how large they are altogether is nothing
    outcome = factorize(spoilt, weights, mean=mean, max_iter=30, learning_rate=0.2)
    assert objective(less, outcome.items) < 1.05 * least_objective(less)


def test_items_that_nobody_rates_are_zero_and_users_without_ratings_do_not_matter(X):
    wider = X.copy()
    wider.resize(N_USERS + 40, N_ITEMS + 7)
    outcome = factorize(wider)
    assert not outcome.items[N_ITEMS:].any()
    assert np.abs(outcome.items[:N_ITEMS]).max(axis=1).min() > 0
    assert objective(X, outcome.items[:N_ITEMS]) == pytest.approx(
        objective(X, factorize(X).items), rel=0.03
    )


def test_a_warm_start_goes_on_from_the_items(X):
    first = factorize(X, max_iter=15)
    again = factorize(X, start=first.items, max_iter=2)
    assert again.history[0]["objective"] < 1.1 * first.history[-1]["objective"]
    assert again.history[0]["objective"] < 0.8 * first.history[0]["objective"]


@pytest.mark.parametrize("settings", [{}, TWO_WORKERS], ids=["inline", "local"])
def test_early_stopping_keeps_the_best_epoch_on_held_out_ratings(X, settings):
    parameters = {"n_components": 12, "alpha": 0.005, "max_iter": 20}
    outcome = factorize(X, early_stopping=True, settings=settings, **parameters)
    losses = [entry["valid_loss"] for entry in outcome.history]
    assert losses[-1] > min(losses)  # with so small a penalty it learns the noise by heart
    n_blocks = 10 if settings else 1
    mean = float(X.data.mean(dtype=np.float64))
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    errors = weight = 0.0
    for block in RatingBlocks(X, None, 0.1, seed).held_out(n_blocks):
        oracle = Ratings(block, 0.005, mean, True)
        for user in range(0, block.n_rows, 2):
            part = oracle.errors(user + 1, outcome.items, oracle.solve(user, outcome.items))
            errors, weight = errors + part @ part, weight + len(part)
    assert weight == pytest.approx(0.1 * X.nnz, rel=0.02)
    assert errors / weight == pytest.approx(min(losses), rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("index", "dtype"), [("i4", "f4"), ("i8", "f8")])
def test_blocks_have_every_rating_once(X, weighted, index, dtype):
    X = sparse.csr_array((X.data.astype(dtype), X.indices, X.indptr), shape=X.shape)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    weights = np.random.default_rng(0).exponential(size=X.nnz) if weighted else None
    cut = RatingBlocks(X, weights, 0.2, seed=5)
    assert cut.n_users == N_USERS
    found = []
    for train, held_out in zip(cut.train(3), cut.held_out(3), strict=True):
        counts = np.diff(held_out.indptr.astype(int))
        rows = np.repeat(np.arange(len(counts)), counts)
        known = rows % 2 == 0
        for name in ("indices", "data") + ("entry_weights",) * weighted:
            np.testing.assert_array_equal(getattr(held_out, name)[known], getattr(train, name))
        np.testing.assert_array_equal(counts[::2], np.diff(train.indptr.astype(int)))
        assert (~known).sum() == round(0.2 * len(known))
        more = held_out.entry_weights if weighted else np.ones(len(known))
        found += zip(held_out.indices, held_out.data, more, strict=True)
    expected = weights / weights.mean() if weighted else np.ones(X.nnz)
    expected = zip(X.indices, X.data.astype("f4"), expected, strict=True)
    np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-6)
    assert cut.seen.sum() == N_ITEMS


def test_one_rating_cannot_be_held_out():
    X = sparse.csr_array(([4.0], ([1], [2])), shape=(3, 4))
    with pytest.raises(ValueError, match="two ratings"):
        factorize(X, early_stopping=True)
    outcome = factorize(X, max_iter=2)
    assert np.isfinite(outcome.items).all() and ALPHA > 0
