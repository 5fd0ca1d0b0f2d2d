"""The kernel of matrix factorization against its definition (``factorization_oracle.py``)."""

from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime.errors import BlockError
from cirrus_runtime.factorization import FactorizationKernel

from .factorization_oracle import Ratings, random_ratings

N = 23  # items


def random_items(random, width):
    return (0.5 * random.standard_normal((N, width))).astype(np.float32)


def make(block, width, biased, alpha=0.1, mean=3.5):
    """Return the oracle and the kernel of one objective."""
    mean = mean if biased else 0.0
    return (
        Ratings(block, alpha, mean, biased),
        FactorizationKernel(N, width, biased=biased, alpha=alpha, mean=mean),
    )


@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("width", [1, 3, 4, 5, 8, 11, 12, 13, 33])
def test_loss_penalty_and_gradient_are_those_of_the_definition(random, width, weights, biased):
    """Over minibatches that follow each other; users without ratings are among them."""
    block = random_ratings(random, 40, N, weights=weights)
    oracle, kernel = make(block, width, biased)
    model = random_items(random, width)
    order = random.permutation(40).astype(np.uint32)
    kernel.open(block, order, 7)
    penalties = 0.0
    for first in range(0, 40, 7):
        users = order[first : first + 7]
        ids = kernel.localize(first, first + len(users))
        part = model[ids]
        part.flags.writeable = False  # what a server sends is read-only
        loss, gradient = kernel.gradient(part)
        errors, penalty, _ = oracle.sums(users, model)
        penalties += penalty
        assert loss == pytest.approx(errors, rel=1e-4)
        assert kernel.penalty == pytest.approx(penalties, rel=1e-4)
        full = np.zeros_like(model)
        full[ids] = gradient
        share = kernel.weight(block) * len(users) / 40
        expected = oracle.gradient(users, model) / share
        np.testing.assert_allclose(full, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())


def test_the_gradient_is_the_slope_of_the_objective_minimised_over_the_users(random):
    """Central differences of the oracle's objective: users are solved anew at every step."""
    block = random_ratings(random, 12, N, weights=True)
    oracle, kernel = make(block, 4, True)
    model = random_items(random, 4).astype(np.float64)
    kernel.open(block, np.arange(12, dtype=np.uint32), 12)
    ids = kernel.localize(0, 12)
    _, gradient = kernel.gradient(model[ids].astype(np.float32))
    for at in [(0, 0), (3, 1), (ids.size - 1, 3), (5, 3), (7, 2)]:
        sides = []
        for step in (1e-5, -1e-5):
            moved = model.copy()
            moved[ids[at[0]], at[1]] += step
            errors, penalty, total = oracle.sums(range(12), moved)
            sides.append((errors + penalty) / total)
        assert gradient[at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=2e-3, abs=1e-5)


def test_gradients_of_minibatches_average_to_that_of_the_block(random):
    """So their sizes, which differ by the users' activity, bias nothing."""
    block = random_ratings(random, 30, N)
    oracle, kernel = make(block, 3, True)
    model = random_items(random, 3)
    order = random.permutation(30).astype(np.uint32)
    kernel.open(block, order, 5)
    full = np.zeros((N, 3))
    for first in range(0, 30, 5):
        ids = kernel.localize(first, first + 5)
        full[ids] += kernel.gradient(model[ids])[1] / 6
    expected = oracle.gradient(range(30), model) / len(block.indices)
    np.testing.assert_allclose(full, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
def test_held_out_ratings_are_scored_by_users_solved_from_the_others(random, weights, biased):
    block = random_ratings(random, 20, N, longest=9, weights=weights, n_empty=5)
    oracle, kernel = make(block, 4, biased)
    model = random_items(random, 4)
    expected, count, total = 0.0, 0, 0.0
    for user in range(0, 20, 2):
        errors = oracle.errors(user + 1, model, oracle.solve(user, model))
        expected += oracle.of(user + 1)[2] @ errors**2
        count += len(errors)
        total += oracle.of(user + 1)[2].sum()
    assert kernel.held_out(block) == (count, pytest.approx(total, rel=1e-6))
    kernel.open(block, np.arange(20, dtype=np.uint32), 6)
    loss = 0.0
    for first in range(0, 20, 6):
        ids = kernel.localize(first, min(first + 6, 20))
        loss += kernel.loss(model[ids])
    assert loss == pytest.approx(expected, rel=1e-4)


def test_ratings_of_weight_zero_are_as_if_they_were_not_there(random):
    block = random_ratings(random, 15, N, n_empty=0)
    kept = random.random(len(block.indices)) < 0.6
    kept[: block.indptr[2]] = False  # two users have none left
    rows = np.repeat(np.arange(15), np.diff(block.indptr.astype(int)))
    less = replace(
        block,
        indptr=np.append(0, np.cumsum(np.bincount(rows[kept], minlength=15))).astype(np.uint32),
        indices=block.indices[kept],
        data=block.data[kept],
    )
    with_zeros = replace(block, entry_weights=kept.astype(np.float32))
    model = random_items(random, 5)
    found = []
    for each in (less, with_zeros):
        kernel = make(each, 5, True)[1]
        kernel.open(each, np.arange(15, dtype=np.uint32), 15)
        ids = kernel.localize(0, 15)
        loss, gradient = kernel.gradient(model[ids])
        full = np.zeros((N, 5), np.float32)
        full[ids] = gradient
        found.append((loss, kernel.penalty, full))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-4, atol=1e-6)


def test_a_tiny_penalty_leaves_numbers_finite(random):
    """More unknowns than ratings, and float32 cannot tell the penalty from rounding."""
    block = random_ratings(random, 10, N, longest=4, n_empty=0)
    _, kernel = make(block, 12, True, alpha=1e-9)
    kernel.open(block, np.arange(10, dtype=np.uint32), 10)
    ids = kernel.localize(0, 10)
    loss, gradient = kernel.gradient(random_items(random, 12)[ids])
    assert np.isfinite(loss) and loss < 1e-3 * block.data @ block.data
    assert np.isfinite(gradient).all()


def test_a_block_that_is_not_of_ratings_is_refused(random):
    block = random_ratings(random, 5, N)
    kernel = make(block, 3, True)[1]
    with pytest.raises(BlockError, match="^b has no ratings"):
        kernel.accept(replace(block, data=None), "b")
    with pytest.raises(BlockError, match="^b has no ratings of dtype float32"):
        kernel.accept(replace(block, data=block.data.astype(np.float64)), "b")
    with pytest.raises(BlockError, match=f"^b has {N + 1} columns, the model {N}"):
        kernel.accept(replace(block, n_features=N + 1), "b")
