"""What a few exact steps find that the objective can still be lowered by."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp

from sklearn_cirrus import _optimality
from sklearn_cirrus._optimality import Objective, reachable_gain

from .linear_model.oracle import SparseOptimum, optimum


def dense(rng):
    """Rows of three classes that lie far from zero, with weights."""
    X = rng.normal(size=(60, 5)) * [1, 2, 3, 0.1, 1] + [50, 0, 0, 1, 0]
    return X, rng.integers(0, 3, 60).astype(np.float32), rng.uniform(0, 2, 60), X.mean(axis=0)


def clicks(rng):
    """Sparse rows of two classes, one of them empty, with a column that no row has."""
    X = sparse.random(80, 7, 0.3, "csr", rng=rng, dtype=np.float32)
    X[:, 3] *= 0
    return X, rng.integers(0, 2, 80).astype(np.float32), None, None


@pytest.fixture(params=[dense, clicks])
def case(request):
    """An objective, its data, and weights somewhere."""
    rng = np.random.default_rng(0)
    X, labels, weights, center = request.param(rng)
    width = 3 if labels.max() == 2 else 1
    objective = Objective(X, labels, weights, center, True, width, l1=0.01, l2=0.1)
    return objective, (X, labels, weights, center), rng.normal(size=(X.shape[1] + 1, width)) / 4


def expected(data, table, l1=0.01, l2=0.1):
    """The objective, written down as it is defined."""
    X, labels, weights, center = data
    X = X.toarray() if sparse.issparse(X) else X - center
    weights = np.ones(len(labels)) if weights is None else weights
    scores = X @ table[:-1] + table[-1]
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels.astype(int)]
    penalty = l2 / 2 * (table[:-1] ** 2).sum() + l1 * np.abs(table[:-1]).sum()
    return weights @ losses / weights.sum() + penalty


def slopes(function, table, by=1e-5):
    """The derivative of a function by each weight, from differences."""
    result = np.empty_like(table)
    for place in np.ndindex(table.shape):
        up, down = table.copy(), table.copy()
        up[place] += by
        down[place] -= by
        result[place] = (function(up) - function(down)) / (2 * by)
    return result


@pytest.mark.parametrize("entries", [50, 1 << 20])
def test_value_and_derivatives_are_those_of_the_definition(case, monkeypatch, entries):
    monkeypatch.setattr(_optimality, "_ENTRIES", entries)  # parts of some rows, or of all
    _, data, table = case
    width = table.shape[1]
    objective = Objective(*data, True, width, l1=0.01, l2=0.1)
    margins, gradient, diagonal = objective.derivatives(table)
    assert objective.value(margins, table) == pytest.approx(expected(data, table), rel=1e-6)
    smooth = slopes(lambda t: expected(data, t, l1=0.0), table)
    np.testing.assert_allclose(gradient, smooth, atol=1e-6)
    # Second derivatives are slopes of the gradient: each product with a unit is a column of them.
    for place in np.ndindex(table.shape):
        unit = np.zeros_like(table)
        unit[place] = 1.0
        bent = slopes(lambda t, place=place: objective.derivatives(t)[1][place], table)
        along, product = objective.curve(margins, unit)
        np.testing.assert_allclose(product, bent, atol=1e-5)
        assert diagonal[place] == pytest.approx(product[place], abs=1e-6)
        moved = objective.derivatives(table + unit)[0]
        np.testing.assert_allclose(along, moved - margins, rtol=1e-4, atol=1e-4)


def problem_of(X, y, C=1.0, l1_ratio=0.0):
    """The Objective of a binary problem of scikit-learn."""
    strength = 1 / (C * len(y))
    penalty = strength * l1_ratio, strength * (1 - l1_ratio)
    return Objective(X, y.astype(np.float32), None, None, True, 1, *penalty)


def table_of(model):
    return np.vstack([model.coef_.T, model.intercept_])


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 10)) @ rng.normal(size=(10, 10))
    return X, (X[:, 0] + rng.logistic(size=400) > 0).astype(int)


def test_nothing_is_found_at_the_optimum(noisy):
    assert reachable_gain(problem_of(*noisy), table_of(optimum(*noisy)), 10) < 1e-6


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_nothing_is_found_at_the_optimum_of_an_l1_penalty(noisy, l1_ratio):
    exact = SparseOptimum(*noisy, 0.02, l1_ratio)
    assert (exact.coef_ == 0).any()
    assert reachable_gain(problem_of(*noisy, 0.02, l1_ratio), table_of(exact), 10) < 1e-5


def gain_and_what_there_is(X, y, l1_ratio, best, away, steps=10):
    """What is found at weights away from the best, and what there is to gain."""
    objective = problem_of(X, y, 0.02, l1_ratio)
    table = best + away * np.random.default_rng(1).normal(size=best.shape)
    here, lowest = (objective.value(objective.margins(t), t) for t in (table, best))
    return reachable_gain(objective, table, steps), (here - lowest) / here


@pytest.mark.parametrize("away", [0.01, 0.1, 1.0])
def test_most_of_what_there_is_to_gain_is_found_and_never_more(noisy, away):
    best = table_of(optimum(*noisy, C=0.02))
    found = []
    for steps in (0, 1, 3, 10):
        gain, most = gain_and_what_there_is(*noisy, 0.0, best, away, steps)
        assert gain <= most * (1 + 1e-5)
        found.append(gain)
    assert found[0] == 0.0 < found[1] <= found[2] * 1.01
    assert found[3] > 0.5 * most


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("away", [0.01, 0.1, 1.0])
def test_with_an_l1_penalty_less_is_found_and_never_more(noisy, l1_ratio, away):
    best = table_of(SparseOptimum(*noisy, 0.02, l1_ratio))
    gain, most = gain_and_what_there_is(*noisy, l1_ratio, best, away)
    assert 0.0 <= gain <= most * (1 + 1e-5)
    # Where the zeros are right already, as with ftrl, it is most.
    near = np.where(best == 0, 0.0, 0.05 * np.abs(best))
    gain, most = gain_and_what_there_is(*noisy, l1_ratio, best, near)
    assert 0.5 * most < gain <= most * (1 + 1e-5)


def test_a_model_that_is_stuck_at_zero(noisy):
    X, y = noisy
    table = np.zeros((11, 1))
    assert reachable_gain(problem_of(X, y), table, 10) > 0.1
    # Unless the penalty is so strong that it belongs there; the intercept alone is free.
    strong = problem_of(X, y, C=1e-5, l1_ratio=1.0)
    table[-1] = np.log(y.mean() / (1 - y.mean()))
    assert reachable_gain(strong, table, 10) < 1e-9
