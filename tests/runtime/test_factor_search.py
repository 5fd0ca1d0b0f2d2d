"""The kernel of a search over factorizations: each fit as by definition, and as if alone."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cirrus_runtime.errors import BlockError
from cirrus_runtime.factor_pairs import HELD_OUT, TRAIN
from cirrus_runtime.factor_search import FactorPlan
from cirrus_runtime.search import read_losses

from .factorization_oracle import Ratings, random_ratings

USERS, N, SPLITS = 30, 23, 2
ROUNDS = ((0, 11), (11, 30))


def make_plan(ranks, biased):
    """Return a plan with a fit of each rank on each split, their penalties all different."""
    n = len(ranks) * SPLITS
    alphas = np.geomspace(0.02, 0.5, n).astype(np.float32).astype(float)
    means = np.linspace(3, 4, n).astype(np.float32).astype(float) * biased
    splits = [*range(SPLITS)] * len(ranks)
    return FactorPlan(
        biased, SPLITS, splits, np.repeat(ranks, SPLITS).tolist(), alphas.tolist(), means.tolist()
    )


def make_block(random, weights, longest=None):
    block = random_ratings(random, USERS, N, longest, weights)
    roles = random.choice([TRAIN, TRAIN, HELD_OUT, 0], (len(block.indices), SPLITS))
    users = np.repeat(np.arange(USERS), np.diff(block.indptr.astype(int)))
    roles[(users == 5) | (users == 17), 0] = HELD_OUT  # nothing to solve them from
    return replace(block, folds=roles.astype(np.uint8).reshape(-1))


def compute(block, plan, table, order):
    """Return the gradients of two minibatches by item, and the losses."""
    kernel = plan.kernel(SimpleNamespace(n_features=N))
    kernel.open(block, order, 19)
    found = np.zeros((len(ROUNDS), N, plan.width), np.float32)
    for i, rows in enumerate(ROUNDS):
        ids = kernel.localize(*rows)
        part = table[ids]
        part.flags.writeable = False  # what a server sends is read-only
        found[i, ids] = kernel.gradient(part)[1]
    return found, read_losses(kernel.take_losses())


def columns_of(plan, fit):
    widths = np.array(plan.rank) + plan.biased
    first = widths[:fit].sum()
    return slice(first, first + widths[fit])


def part_of(block, split, role, alpha, mean, biased):
    """Return the oracle of the ratings that have a role in a split, with the same users."""
    kept = block.folds.reshape(-1, SPLITS)[:, split] == role
    users = np.repeat(np.arange(USERS), np.diff(block.indptr.astype(int)))
    weights = block.entry_weights
    less = replace(
        block,
        indptr=np.append(0, np.bincount(users[kept], minlength=USERS).cumsum()).astype(np.uint32),
        indices=block.indices[kept],
        data=block.data[kept],
        entry_weights=None if weights is None else weights[kept],
    )
    return Ratings(less, alpha, mean, biased)


@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("ranks", [[3], [2] * 2 + [10] * 3, [4] * 7, [1] * 9 + [11] * 21], ids=str)
def test_every_fit_is_that_of_the_definition(random, ranks, weights, biased):
    """Users without ratings, and users of whom a split holds out all, are among them."""
    block, plan = make_block(random, weights), make_plan(ranks, biased)
    table = (0.5 * random.standard_normal((N, plan.width))).astype(np.float32)
    order = random.permutation(USERS).astype(np.uint32)
    gradients, losses = compute(block, plan, table, order)
    for fit, split in enumerate(plan.split):
        settings = plan.alpha[fit], plan.mean[fit], biased
        known = part_of(block, split, TRAIN, *settings)
        hidden = part_of(block, split, HELD_OUT, *settings)
        model = table[:, columns_of(plan, fit)].astype(np.float64)
        *objective, total = known.sums(order, model)
        assert losses[0, fit] == pytest.approx(sum(objective), rel=1e-4)
        errors = [hidden.errors(user, model, known.solve(user, model)) for user in order]
        assert losses[1, fit] == pytest.approx(sum(e @ e for e in errors), rel=1e-4)
        for found, (first, last) in zip(gradients, ROUNDS, strict=True):
            expected = known.gradient(order[first:last], model) * USERS / (last - first) / total
            np.testing.assert_allclose(
                found[:, columns_of(plan, fit)],
                *(expected, 1e-3),
                atol=2e-4 * np.abs(expected).max(),
            )


@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("rank", [1, 2, 3, 4, 7, 8, 11, 12, 33])
@pytest.mark.parametrize("count", [2, 4, 8, 9, 21])
def test_gradients_of_fits_computed_together_are_to_the_bit_as_alone(
    random, count, rank, weights, biased
):
    """However many registers there are: groups of 8 and 4 fits, full ones and others."""
    block, plan = make_block(random, weights), make_plan([rank] * count, biased)
    table = (0.5 * random.standard_normal((N, plan.width))).astype(np.float32)
    order = random.permutation(USERS).astype(np.uint32)
    gradients, losses = compute(block, plan, table, order)
    for fit, split in enumerate(plan.split):
        one = replace(
            plan, split=[split], rank=[rank], alpha=[plan.alpha[fit]], mean=[plan.mean[fit]]
        )
        columns = columns_of(plan, fit)
        alone, of_one = compute(block, one, np.ascontiguousarray(table[:, columns]), order)
        np.testing.assert_array_equal(gradients[:, :, columns], alone)
        np.testing.assert_allclose(losses[:, fit : fit + 1], of_one, rtol=1e-13)


@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
def test_users_of_more_ratings_than_are_gone_through_together(random, weights):
    """RIDGE_CHUNK is 256."""
    n = 700
    block = random_ratings(random, 3, n, weights=weights, n_empty=0)
    block = replace(block, folds=np.full(len(block.indices), TRAIN, np.uint8))
    assert np.diff(block.indptr.astype(int)).max() > 2 * 256
    plan = FactorPlan(True, 1, [0] * 5, [5] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], [3.5] * 5)
    table = random.standard_normal((n, plan.width)).astype(np.float32)
    found = []
    for each in (
        plan,
        *(replace(plan, split=[0], rank=[5], alpha=[a], mean=[3.5]) for a in plan.alpha),
    ):
        kernel = each.kernel(SimpleNamespace(n_features=n))
        kernel.open(block, np.arange(3, dtype=np.uint32), 3)
        ids = kernel.localize(0, 3)
        at = columns_of(plan, len(found) - 1) if found else slice(None)
        found.append(kernel.gradient(np.ascontiguousarray(table[ids][:, at]))[1])
    np.testing.assert_array_equal(found[0], np.hstack(found[1:]))


def test_a_fit_that_is_not_finite_keeps_to_itself(random):
    block, plan = make_block(random, False), make_plan([3] * 6, True)
    table = random.standard_normal((N, plan.width)).astype(np.float32)
    order = np.arange(USERS, dtype=np.uint32)
    expected, losses = compute(block, plan, table, order)
    bad = columns_of(plan, 4)
    table[:, bad] = np.nan
    found, with_bad = compute(block, plan, table, order)
    others = np.delete(np.arange(plan.width), np.arange(plan.width)[bad])
    np.testing.assert_array_equal(found[:, :, others], expected[:, :, others])
    np.testing.assert_array_equal(np.delete(with_bad, 4, 1), np.delete(losses, 4, 1))
    assert np.isnan(with_bad[:, 4]).all()


def test_a_block_without_the_splits_of_the_search_is_refused(random):
    block, plan = make_block(random, False), make_plan([3], True)
    kernel = plan.kernel(SimpleNamespace(n_features=N))
    for folds in (None, block.folds[1:]):
        with pytest.raises(BlockError, match=f"^the block does not have the {SPLITS} splits"):
            kernel.open(replace(block, folds=folds), np.arange(USERS, dtype=np.uint32), 5)
