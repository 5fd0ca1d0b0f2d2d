"""The kernel of a search: each fit as if the logistic kernel had computed it alone."""

import numpy as np
import pytest
from scipy.special import expit

from cirrus_runtime.blocks import Block, decode_block, encode_block
from cirrus_runtime.errors import BlockError
from cirrus_runtime.logistic import LogisticKernel
from cirrus_runtime.search import Plan, SearchKernel, read_losses

ROWS, FEATURES, SPLITS = 50, 17, 3


def make_block(classes, has_data, folds, weights=None):
    random = np.random.default_rng(classes)
    counts = random.integers(0, 9, ROWS)
    indptr = np.append(0, counts.cumsum()).astype(np.uint32)
    indices = [np.sort(random.choice(FEATURES, n, replace=False)) for n in counts]
    data = random.normal(size=indptr[-1]).astype(np.float32)
    return Block(
        indptr=indptr,
        indices=np.concatenate(indices).astype(np.uint32),
        data=data if has_data else None,
        labels=random.integers(0, max(2, classes), ROWS).astype(np.float32),
        weights=weights,
        n_features=FEATURES,
        folds=folds.reshape(-1),
    )


@pytest.mark.parametrize("has_data", [True, False], ids=["values", "ones"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("classes", [1, 4])
def test_every_fit_is_that_of_the_kernel_of_one(classes, intercept, has_data):
    random = np.random.default_rng(1)
    folds = random.integers(0, 3, (ROWS, 2 * SPLITS)).astype(np.uint8)
    labels = max(2, classes)
    plan = Plan(classes, SPLITS, [0, 2, 1, 2], random.uniform(0, 2, (4, labels)).tolist())
    own = random.uniform(0.5, 2, ROWS).astype(np.float32)
    block = make_block(classes, has_data, folds, own)
    many = SearchKernel(FEATURES, plan, intercept)
    order = random.permutation(ROWS).astype(np.uint32)
    many.open(block, order, 20)
    table = random.normal(size=(FEATURES + 1, plan.width)).astype(np.float32)
    expected = np.zeros((2, 4))
    for first, last in ((0, 20), (20, 37)):
        ids = many.localize(first, last)
        _, gradient = many.gradient(table[ids])
        for fit, split in enumerate(plan.split):
            columns = slice(fit * classes, (fit + 1) * classes)
            of_class = np.array(plan.class_weights[fit], np.float32)[block.labels.astype(int)]
            for kind, weights in enumerate(
                (own * folds[:, split] * of_class, folds[:, SPLITS + split].astype(np.float32))
            ):
                weighted = make_block(classes, has_data, folds, weights.astype(np.float32))
                one = LogisticKernel(FEATURES, classes, intercept)
                one.open(weighted, order, 20)
                model = np.ascontiguousarray(table[one.localize(first, last), columns])
                loss, alone = one.gradient(model)
                expected[kind, fit] += loss
                if kind == 0:
                    np.testing.assert_allclose(gradient[:, columns], alone, atol=2e-6)
    np.testing.assert_allclose(read_losses(many.take_losses()), expected, rtol=1e-5)


@pytest.mark.parametrize("label", [0, 1])
def test_loss_and_slope_are_exact_for_scores_of_any_size(label):
    """Of a row without entries, so that the score is the intercept of each fit."""
    sizes = np.concatenate([np.linspace(0, 80, 150), np.geomspace(1e-7, 1, 25)])
    scores = np.concatenate([sizes, -sizes]).astype(np.float32)
    block = Block(
        indptr=np.zeros(2, np.uint32),
        indices=np.zeros(0, np.uint32),
        data=None,
        labels=np.array([label], np.float32),
        weights=None,
        n_features=FEATURES,
        folds=np.ones(2, np.uint8),
    )
    plan = Plan(1, 1, [0] * len(scores), [[1.0, 1.0]] * len(scores))
    kernel = SearchKernel(FEATURES, plan, True)
    kernel.open(block, np.zeros(1, np.uint32), 1)
    assert kernel.localize(0, 1).tolist() == [FEATURES]
    _, slopes = kernel.gradient(scores[None])
    losses = read_losses(kernel.take_losses())
    margins = scores.astype(np.float64) * (1 if label else -1)
    np.testing.assert_allclose(losses, [np.logaddexp(0, -margins)] * 2, rtol=4e-7)
    expected = (-1 if label else 1) * expit(-margins)
    np.testing.assert_allclose(slopes[0], expected, rtol=4e-7, atol=6e-8 if label else 0)


@pytest.mark.parametrize("size", [90.0, 1e30])
def test_scores_that_saturate_cost_what_they_should(size):
    folds = np.ones((ROWS, 2), np.uint8)
    kernel = SearchKernel(FEATURES, Plan(1, 1, [0, 0], [[1.0, 1.0]] * 2), True)
    block = make_block(1, True, folds)
    kernel.open(block, np.arange(ROWS, dtype=np.uint32), ROWS)
    table = np.zeros((kernel.localize(0, ROWS).size, 2), np.float32)
    table[-1] = size, -size
    _, gradient = kernel.gradient(table)
    ones = block.labels.sum()
    losses = read_losses(kernel.take_losses())
    np.testing.assert_allclose(losses, [[(ROWS - ones) * size, ones * size]] * 2, rtol=1e-6)
    np.testing.assert_allclose(gradient[-1], [1 - ones / ROWS, -ones / ROWS], atol=1e-6)


def test_a_fit_that_is_not_finite_keeps_to_itself():
    folds = np.ones((ROWS, 2), np.uint8)
    plan = Plan(1, 1, [0, 0], [[1.0, 1.0]] * 2)
    kernel = SearchKernel(FEATURES, plan, True)
    kernel.open(make_block(1, True, folds), np.arange(ROWS, dtype=np.uint32), ROWS)
    ids = kernel.localize(0, ROWS)
    table = np.zeros((ids.size, 2), np.float32)
    table[:, 1] = np.nan
    _, gradient = kernel.gradient(table)
    losses = read_losses(kernel.take_losses())
    assert np.isfinite(gradient).all()
    assert gradient[:, 0].any() and not gradient[:, 1].any()
    np.testing.assert_allclose(losses[:, 0], ROWS * np.log(2), rtol=1e-6)
    assert np.isnan(losses[:, 1]).all()


def test_a_plan_survives_its_way():
    plan = Plan(3, 2, [0, 1], [[1.0, 1 / 3, 2.0], [0.5, 0.25, 1e-9]])
    assert Plan.decode(memoryview(plan.encode())) == plan
    assert plan.width == 6


def test_a_block_has_its_folds_on_its_way():
    folds = np.arange(ROWS * 4, dtype=np.uint8).reshape(ROWS, 4)
    block = make_block(1, True, folds)
    read = decode_block(b"".join(encode_block(block)), "b")
    np.testing.assert_array_equal(read.folds.reshape(ROWS, 4), folds)
    kernel = SearchKernel(FEATURES, Plan(1, 3, [0], [[1.0, 1.0]]), True)
    with pytest.raises(BlockError, match="3 splits"):
        kernel.open(read, np.arange(ROWS, dtype=np.uint32), ROWS)
    with pytest.raises(BlockError, match="not whole rows"):
        encode_block(make_block(1, True, folds.reshape(-1)[:-1]))
