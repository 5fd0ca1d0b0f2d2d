"""The learning kernels against logistic regression by definition (``logistic_oracle.py``)."""

from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime.blocks import Block
from cirrus_runtime.errors import BlockError
from cirrus_runtime.logistic import LogisticKernel

from .logistic_oracle import losses_and_gradient, random_block

D = 12


def random_model(random, width, intercept):
    return random.standard_normal((D + intercept, width)).astype(np.float32)


def compute(kernel, block, rows, model):
    """Return ids, sum of losses and its gradient, as one of the whole model, of one minibatch."""
    rows = np.asarray(rows, np.uint32)
    kernel.open(block, rows, len(rows))
    ids = kernel.localize(0, len(rows))
    part = model[ids]
    part.flags.writeable = False  # what a server sends is read-only
    loss, gradient = kernel.gradient(part)
    assert kernel.loss(part) == loss
    assert gradient.dtype == np.float32 and gradient.shape == part.shape
    full = np.zeros_like(model)
    full[ids] = gradient * len(rows)
    return ids, loss, full


def make_block(rows, labels, n_features=D):
    """Return the block of rows given as lists of (column, value)."""
    entries = [entry for row in rows for entry in row]
    return Block(
        indptr=np.cumsum([0, *map(len, rows)]).astype(np.uint32),
        indices=np.array([column for column, _ in entries], np.uint32),
        data=np.array([value for _, value in entries], np.float32),
        labels=np.array(labels, np.float32),
        weights=None,
        n_features=n_features,
    )


@pytest.mark.parametrize("intercept", [False, True], ids=["plain", "intercept"])
@pytest.mark.parametrize("weights", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("ones", [False, True], ids=["values", "ones"])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_loss_and_gradient_are_those_of_the_definition(random, width, ones, weights, intercept):
    """Over minibatches that follow each other, of blocks with empty rows and repeated columns."""
    kernel = LogisticKernel(D, width, intercept)
    for n_rows in (50, 3, 40):
        block = random_block(random, n_rows, D, width, ones=ones, weights=weights)
        model = random_model(random, width, intercept)
        order = random.permutation(n_rows).astype(np.uint32)
        kernel.open(block, order, 7)
        for first in range(0, n_rows, 7):
            rows = order[first : first + 7]
            losses, expected = losses_and_gradient(block, rows, model)
            ids = kernel.localize(first, first + len(rows))
            loss, gradient = kernel.gradient(model[ids])
            assert loss == pytest.approx(losses.sum(), rel=2e-6)
            assert kernel.loss(model[ids]) == loss
            full = np.zeros_like(model)
            full[ids] = gradient
            np.testing.assert_allclose(full, expected / len(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True], ids=["plain", "intercept"])
def test_ids_are_the_columns_that_occur_each_once(random, intercept):
    kernel = LogisticKernel(D, 1, intercept)
    for _ in range(20):
        block = random_block(random, 6, D, 1, longest=4)
        order = random.permutation(6).astype(np.uint32)
        kernel.open(block, order, 3)
        for first in (3, 0):  # in any order
            ids = kernel.localize(first, first + 3)
            occur = np.concatenate(
                [block.indices[block.indptr[r] : block.indptr[r + 1]] for r in order[first:][:3]]
            )
            assert ids.dtype == np.uint32
            if intercept:
                assert ids[-1] == D
                ids = ids[:-1]
            assert sorted(ids) == sorted(set(occur.tolist()))


def test_ids_of_an_earlier_minibatch_stay_as_they_are(random):
    """The worker pushes a gradient under them when the next minibatch is numbered already."""
    block = random_block(random, 8, D, 1)
    kernel = LogisticKernel(D, 1, True)
    kernel.open(block, np.arange(8, dtype=np.uint32), 4)
    ids = kernel.localize(0, 4)
    _, gradient = kernel.gradient(np.ones((len(ids), 1), np.float32))
    before = ids.copy(), gradient.copy()
    ids_2 = kernel.localize(4, 8)
    kernel.gradient(np.zeros((len(ids_2), 1), np.float32))
    np.testing.assert_array_equal(ids, before[0])
    np.testing.assert_array_equal(gradient, before[1])


@pytest.mark.parametrize("width", [1, 3])
def test_numbers_of_minibatches_may_run_out(random, width):
    """After 2^32 - 1 minibatches numbering begins again: no old stamp may pass for a new one."""
    block, model = random_block(random, 6, D, width), random_model(random, width, True)
    kernel = LogisticKernel(D, width, True)
    for _ in range(3):  # stamps 1, 2, 3, which come again
        compute(kernel, block, [1, 2, 3, 4], model)
    kernel._pass.round = 2**32 - 3  # nothing public is as patient
    for first in range(6):
        rows = [first, (first + 1) % 6]
        losses, expected = losses_and_gradient(block, rows, model)
        ids, loss, gradient = compute(kernel, block, rows, model)
        assert len(ids) == len(set(ids.tolist()))
        assert loss == pytest.approx(losses.sum(), rel=2e-6)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    assert kernel._pass.round == 4


@pytest.mark.parametrize("width", [1, 3])
def test_gradient_is_the_slope_of_the_loss(random, width):
    """Central differences of the kernel's own loss: no oracle that could share a mistake."""
    block = random_block(random, 30, D, width, weights=True)
    model = 0.3 * random_model(random, width, True)
    rows = np.arange(30, dtype=np.uint32)
    kernel = LogisticKernel(D, width, True)
    _, _, gradient = compute(kernel, block, rows, model)
    step = np.float32(0.01)
    for at in np.ndindex(*model.shape):
        up, down = model.copy(), model.copy()
        up[at] += step
        down[at] -= step
        slope = compute(kernel, block, rows, up)[1] - compute(kernel, block, rows, down)[1]
        assert slope / (float(up[at]) - float(down[at])) == pytest.approx(gradient[at], abs=4e-3)


@pytest.mark.parametrize(
    ("margin", "right", "wrong"),
    [
        (20, 2.0611536e-9, 20),  # log1p(exp(-20)), of which 1 + exp(-20) keeps nothing in float32
        (80, 1.8048514e-35, 80),
        (1000, 0, 1000),
        (1e30, 0, 1e30),
    ],
)
def test_extreme_margins(margin, right, wrong):
    """The loss is small where the model is right, the margin where it is wrong; never inf or NaN"""
    for sign in (1, -1):
        labels = [1, 0] if sign == 1 else [0, 1]
        block = make_block([[(0, sign)], [(0, sign)]], labels)
        model = np.zeros((D, 1), np.float32)
        model[0] = margin
        kernel = LogisticKernel(D, 1, False)
        _, loss, gradient = compute(kernel, block, [0], model)
        assert loss == pytest.approx(right, rel=1e-5, abs=1e-37)
        assert gradient[0, 0] == pytest.approx(0, abs=1e-7)
        _, loss, gradient = compute(kernel, block, [1], model)
        assert loss == pytest.approx(wrong, rel=1e-6)
        assert gradient[0, 0] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("size", [20, 1000, 1e30])
def test_extreme_scores_of_many_classes(size):
    block = make_block([[(0, 1)], [(0, 1)], [(0, 1)]], [0, 1, 2])
    model = np.zeros((D, 3), np.float32)
    model[0] = size, -size, 0
    kernel = LogisticKernel(D, 3, False)
    tail = np.exp(-size) if size < 100 else 0.0
    expected = [np.log1p(tail + tail**2), 2 * size, size]
    for row in range(3):
        _, loss, gradient = compute(kernel, block, [row], model)
        assert loss == pytest.approx(expected[row], rel=1e-5)
        np.testing.assert_allclose(
            gradient[0], np.array([1, tail**2, tail]) - np.eye(3)[row], rtol=1e-5, atol=1e-7
        )


def test_loss_is_summed_beyond_float32():
    """A million rows of loss log 2: a float32 sum would be off in the fourth digit."""
    n = 1_000_000
    block = Block(
        *(np.zeros(n + 1, np.uint32), np.zeros(0, np.uint32), None),
        *(np.zeros(n, np.float32), None, D),
    )
    kernel = LogisticKernel(D, 1, True)
    kernel.open(block, np.arange(n, dtype=np.uint32), n)
    ids = kernel.localize(0, n)
    loss, gradient = kernel.gradient(np.zeros((1, 1), np.float32))
    assert ids.tolist() == [D]
    assert loss == pytest.approx(n * np.log(2), rel=1e-7)
    assert gradient[0, 0] == pytest.approx(1 / 2, rel=1e-6)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("intercept", [False, True], ids=["plain", "intercept"])
def test_rows_without_entries(width, intercept):
    block = make_block([[], []], [0, 1])
    model = np.zeros((D + intercept, width), np.float32)
    ids, loss, gradient = compute(LogisticKernel(D, width, intercept), block, [0, 1], model)
    assert ids.tolist() == [D] * intercept
    assert loss == pytest.approx(2 * np.log(max(2, width)), rel=1e-6)
    # One row each of classes 0 and 1: the classes' gradients at equal probability.
    expected = {1: [0], 3: [-1 / 3, -1 / 3, 2 / 3]}[width]
    if intercept:
        np.testing.assert_allclose(gradient[-1], expected, atol=1e-6)


def test_a_row_that_names_a_column_twice_has_their_sum():
    twice = make_block([[(3, 0.5), (7, -1), (3, 1.5)]], [1])
    once = make_block([[(3, 2.0), (7, -1)]], [1])
    model = np.linspace(-1, 1, D + 1, dtype=np.float32)[:, None]
    kernel = LogisticKernel(D, 1, True)
    ids, loss, gradient = compute(kernel, twice, [0], model)
    assert sorted(ids) == [3, 7, D]
    _, expected_loss, expected = compute(kernel, once, [0], model)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


@pytest.mark.parametrize(("width", "largest"), [(1, 1), (2, 1), (3, 2)])
def test_labels_are_checked(random, width, largest):
    """The kernel indexes with labels, so a block with a foreign one must not reach it."""
    kernel = LogisticKernel(D, width, True)
    block = random_block(random, 5, D, width)
    labels = np.array([0, 1, 0, 1, largest], np.float32)
    kernel.check_labels(replace(block, labels=labels), "b")
    labels = labels + (labels == labels.max())
    with pytest.raises(BlockError, match=f"^b has a label beyond the {largest + 1} classes"):
        kernel.check_labels(replace(block, labels=labels), "b")
    with pytest.raises(BlockError, match="^b has no labels"):
        kernel.check_labels(replace(block, labels=None), "b")


@pytest.mark.parametrize("n_features", [D - 1, D + 1])
def test_a_block_of_other_data_is_refused(random, n_features):
    block = random_block(random, 5, n_features, 1)
    with pytest.raises(BlockError, match=f"^b has {n_features} columns, the model {D}"):
        LogisticKernel(D, 1, True).check_labels(block, "b")
