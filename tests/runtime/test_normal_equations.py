"""Users solved and normal equations of items, and a worker that sums them, against float64."""

from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime import normal_equations
from cirrus_runtime.als import Als, read_body
from cirrus_runtime.engines import InlineEngine
from cirrus_runtime.errors import BlockError
from cirrus_runtime.full_batch import ParameterVector
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.normal_equations import AlsKernel, equations_width
from cirrus_runtime.protocol import Lease, TrainJob

from .factorization_oracle import Ratings, random_ratings

N_ITEMS, ALPHA, MEAN = 50, 0.1, 3.4


def some_block(n_rows=80, weights=False):
    """Return a block of users with up to 40 ratings, some with none; the last item has none."""
    random = np.random.default_rng(0)
    block = random_ratings(random, n_rows, N_ITEMS - 1, 40, weights)
    return replace(block, n_features=N_ITEMS)


def some_items(unknowns):
    return np.random.default_rng(1).normal(0, 0.5, (N_ITEMS, unknowns)).astype(np.float32)


def expected_sums(ratings, users, items):
    """Return loss, weight, penalty of the users, and the normal equations of all items."""
    d = items.shape[1]
    loss = weight = penalty = 0.0
    A, b = np.zeros((N_ITEMS, d, d)), np.zeros((N_ITEMS, d))
    for user in users:
        ids, values, weights = ratings.of(user)
        vector = ratings.solve(user, items)
        loss += weights @ ratings.errors(user, items, vector) ** 2
        weight += weights.sum()
        penalty += ratings.alpha * weights.sum() * (vector @ vector)
        row, bias = vector.copy(), 0.0
        if ratings.biased:
            row[-1], bias = 1.0, vector[-1]
        A[ids] += weights[:, None, None] * np.outer(row, row)
        b[ids] += (weights * (values - bias))[:, None] * row
    upper = np.triu_indices(d)
    return loss, weight, penalty, np.hstack([A[:, upper[0], upper[1]], b])


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("unknowns", [1, 4, 11])
def test_sums_of_a_block(unknowns, biased, weights, held_out, monkeypatch):
    monkeypatch.setattr(normal_equations, "_SLICE", 5000)  # many calls of the kernels
    block, items = some_block(weights=weights), some_items(unknowns)
    kernel = AlsKernel(N_ITEMS, unknowns, ALPHA, MEAN, biased, held_out)
    ratings = kernel.accept(block, "b")
    renewed = []
    sums = kernel.solve_users(ratings, items[ratings.ids], lambda: renewed.append("users"))
    out = np.full((len(ratings.ids), equations_width(unknowns)), np.nan, np.float32)
    kernel.equations(ratings, out, lambda: renewed.append("items"))
    assert {"users", "items"} == set(renewed)
    assert unknowns == 1 or min(map(renewed.count, ("users", "items"))) > 1
    oracle = Ratings(block, ALPHA, MEAN, biased)
    rows = range(0, block.n_rows, 1 + held_out)
    loss, weight, penalty, equations = expected_sums(oracle, rows, items.astype(np.float64))
    assert sums.loss == pytest.approx(loss, rel=1e-5)
    assert sums.weight == pytest.approx(weight, rel=1e-12)
    assert sums.penalty == pytest.approx(penalty, rel=1e-4)
    np.testing.assert_allclose(out, equations[ratings.ids], rtol=1e-4, atol=2e-3)
    assert ratings.n_ratings == sum(len(oracle.of(row)[0]) for row in rows)
    assert ratings.n_users == len(rows)
    held_loss = held_weight = 0.0
    for row in range(1, block.n_rows, 2) if held_out else ():
        vector, w = oracle.solve(row - 1, items.astype(np.float64)), oracle.of(row)[2]
        held_loss += w @ oracle.errors(row, items.astype(np.float64), vector) ** 2
        held_weight += w.sum()
    assert sums.held_loss == pytest.approx(held_loss, rel=1e-5)
    assert sums.held_weight == pytest.approx(held_weight, rel=1e-12)


def test_blocks_that_do_not_fit_are_refused():
    block = some_block(9)
    kernel = AlsKernel(N_ITEMS, 3, ALPHA, MEAN, True, True)
    with pytest.raises(BlockError, match="^b has 9 rows, not two for each user"):
        kernel.accept(block, "b")
    with pytest.raises(BlockError, match=f"^b has {N_ITEMS} columns, the model 7"):
        AlsKernel(7, 3, ALPHA, MEAN, True, False).accept(block, "b")
    for data in (None, block.data.astype(np.float64)):
        with pytest.raises(BlockError, match="^b has no ratings of dtype float32"):
            kernel.accept(replace(block, data=data), "b")


def test_a_lease_done_twice_is_the_same_and_ids_are_sent_once():
    items = some_items(3)
    engine = InlineEngine()
    options = {"alpha": ALPHA, "mean": MEAN, "biased": True, "held_out": True}
    job = TrainJob("r", N_ITEMS, 3, False, 1, 0, "memory://", kind="als", options=options)
    ParameterVector(engine, RunKeys("r").vector, N_ITEMS, 3).publish(items)
    als = Als(job, engine)
    block = als.accept(some_block(), "b")

    def perform(epoch, kind="equations"):
        return als.perform(Lease(0, kind, epoch, 0, "b"), block, lambda: None)

    width = equations_width(3)
    first, later, again, score = perform(0), perform(1), perform(1), perform(2, "score")
    assert bytes(later["body"]) == bytes(again["body"])
    held, ids, equations = read_body(first["body"], width)
    assert np.array_equal(ids, block.ids) and held[1] > 0
    known, none, same = read_body(later["body"], width, len(ids))
    assert none is None and known == held and np.array_equal(equations, same)
    known, _, nothing = read_body(score["body"], width, len(ids))
    assert known == held and nothing.shape == (0, width)
    assert {report["loss"] for report in (first, later, score)} == {first["loss"]}
    assert [report["rows"] for report in (first, score)] == [block.n_ratings] * 2
