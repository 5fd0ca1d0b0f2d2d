"""The parts of the exact solver: its blocks, moments, variables and smallest weights."""

import numpy as np
import pytest
from scipy import optimize, sparse

from cirrus_runtime.blocks import decode_block, encode_block
from sklearn_cirrus._exact_blocks import ExactBlocks, count_exact_blocks
from sklearn_cirrus._lbfgs import is_at_the_bottom
from sklearn_cirrus._moments import Moments
from sklearn_cirrus._smallest import smallest
from sklearn_cirrus._variables import Variables, covariance_of

MIB = 1 << 20


@pytest.fixture
def random():
    return np.random.default_rng(0)


def rows_of(block):
    """Return the rows of a block as a dense array."""
    values = np.ones(len(block.indices)) if block.data is None else block.data.astype(float)
    shape = block.n_rows, block.n_features
    return sparse.csr_array((values, block.indices, block.indptr), shape).toarray()


@pytest.mark.parametrize("n_blocks", [1, 4])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize(
    ("values", "dtype"), [("thirds", "f8"), ("halves", "f4"), ("huge", "f8"), ("ones", None)]
)
def test_blocks_hold_the_very_values_in_order(random, values, dtype, form, n_blocks):
    X = (random.random((50, 7)) < 0.5).astype(float)
    X *= {"thirds": 1 / 3, "halves": 0.5, "huge": 1e300, "ones": 1.0}[values]
    if form is not sparse.csr_matrix and dtype is None:
        X[:] = 1.0
    labels = random.integers(0, 2, 50).astype(np.float32)
    weights = random.random(50)
    blocks = list(ExactBlocks(form(X), labels, weights, n_blocks))
    blocks = [decode_block(b"".join(encode_block(block)), "b") for block in blocks]
    assert len(blocks) == n_blocks
    assert np.array_equal(np.vstack([rows_of(block) for block in blocks]), X)
    assert np.array_equal(np.concatenate([block.labels for block in blocks]), labels)
    assert np.array_equal(np.concatenate([block.weights for block in blocks]), weights)
    dtypes = {None if block.data is None else block.data.dtype.str[1:] for block in blocks}
    assert dtypes == {dtype}


def test_the_number_of_blocks_knows_no_workers():
    X = np.zeros((1, 100), np.float32)  # rows of 812 bytes
    assert count_exact_blocks(X, 1000, 32 * MIB) == 1
    assert count_exact_blocks(X, 3 * MIB // 812, 32 * MIB) == 3
    assert count_exact_blocks(X, 200 * MIB // 812, 32 * MIB) == 16
    assert count_exact_blocks(X, 640 * MIB // 812, 32 * MIB) == 20
    assert count_exact_blocks(X, 3, 1) == 3


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_moments(random, form, weighted, centered):
    X = random.standard_normal((9000, 5)) * [1, 10, 0.1, 0, 1] + [0, 3, 0, 0.1, 0]
    X[:, 4] = 0
    weights = random.random(9000) if weighted else None
    moments = Moments.of(form(X), weights, centered)
    center = np.average(X, axis=0, weights=weights) if centered else np.zeros(5)
    variance = np.average((X - center) ** 2, axis=0, weights=weights)
    np.testing.assert_allclose(moments.center, center, rtol=1e-12)
    expected = np.where([False] * 3 + [centered, True], 0.0, variance)
    np.testing.assert_allclose(moments.variance, expected, rtol=1e-9, atol=1e-17)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("d", [1, 20, 700])
def test_variables_are_a_change_of_variables(random, d, intercept, width):
    X = random.standard_normal((300, d)) @ random.standard_normal((d, d)) + 5
    X[:, d // 2] = 7.0 if d > 1 else X[:, 0]
    moments = Moments.of(X, None, intercept)
    start = np.zeros((d + intercept, width))
    variables = Variables(moments, covariance_of(X, None, moments), 0.01, 0.25, start)
    table = random.standard_normal(start.shape)
    if d > 512:  # a constant column that begins at zero stays there
        table[d // 2] = 0 if intercept else table[d // 2]
    inner = variables.inner(table)
    np.testing.assert_allclose(variables.outer(inner), table, rtol=1e-6, atol=1e-7)
    # The gradient is that of table -> <slope, table>, seen from the variables.
    slope, step = random.standard_normal(start.shape), random.standard_normal(inner.shape)
    along = (variables.gradient(slope) * step).sum()
    change = variables.outer(inner + step) - table
    assert along == pytest.approx((slope * change).sum(), rel=1e-6, abs=1e-6)


def test_the_curvature_is_the_same_in_every_direction(random):
    X = random.standard_normal((500, 12)) @ random.standard_normal((12, 12)) * 1e3 + 1e4
    weights = random.random(500)
    moments, start = Moments.of(X, weights, True), np.zeros((13, 1))
    variables = Variables(moments, covariance_of(X, weights, moments), 0.01, 0.25, start)
    directions = [variables.outer(np.eye(13)[:, [j]]) for j in range(12)]
    coef = np.hstack(directions)[:12]
    centered = X - np.average(X, axis=0, weights=weights)
    covariance = centered.T * weights @ centered / weights.sum()
    hessian = coef.T @ (0.25 * covariance + 0.01 * np.eye(12)) @ coef
    np.testing.assert_allclose(hessian, 0.25 * np.eye(12), atol=1e-6)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_smallest_weights(random, form, intercept):
    X = random.standard_normal((200, 6)) * [1, 100, 1, 1, 0.01, 1]
    X = np.hstack([X, X[:, :2] @ random.standard_normal((2, 2)), np.ones((200, 1)) * 3])
    table = random.standard_normal((9 + intercept, 2))
    found = smallest(table, form(X), intercept)
    design = np.hstack([X, np.ones((200, 1))]) if intercept else X
    margins = design @ table
    np.testing.assert_allclose(design @ found, margins, rtol=1e-7, atol=1e-7)
    expected = np.linalg.lstsq(design, margins, rcond=1e-10)[0]  # the smallest solution
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_weights_of_independent_columns_stay_as_they_are(random):
    table = random.standard_normal((4, 1))
    assert smallest(table, random.standard_normal((50, 3)) * [1, 1e6, 1e-6], True) is table


@pytest.mark.parametrize(("left", "there"), [(1e-13, True), (1e-11, False)])
def test_whether_a_line_search_that_failed_had_anything_to_find(left, there):
    """Of a parabola that has been followed, the model of L-BFGS knows what is left to gain."""
    slopes, offset = np.array([1.0, 4.0, 9.0]), 3.0

    def parabola(x):
        return offset + slopes @ x**2 / 2, slopes * x

    result = optimize.minimize(
        parabola, np.ones(3), jac=True, method="L-BFGS-B", options={"gtol": 1e-12, "ftol": 0.0}
    )
    x = np.array([0.0, np.sqrt(2 * left * offset / 4), 0.0])
    result.fun, result.jac = parabola(x)
    assert result.hess_inv.dot(result.jac) == pytest.approx(x, abs=0.05 * x.max())
    assert is_at_the_bottom(result) == there
