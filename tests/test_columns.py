"""Centres, scales and curvature of columns, against numpy in float64."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import _columns
from sklearn_cirrus._columns import Columns


@pytest.fixture(params=[(50, 4), (5000, 7), (9000, 3)], ids=str)
def dense(request):
    """Columns of different places and widths; more rows than are looked at together."""
    rng = np.random.default_rng(0)
    n, d = request.param
    return rng.normal(size=(n, d)) * np.logspace(-3, 4, d) + np.linspace(-100, 1e5, d)


def scale_by_numpy(X, center):
    """Geometric mean of the standard deviation and the largest deviation."""
    deviations = X.astype(np.float64) - center
    return np.sqrt(np.sqrt((deviations**2).mean(axis=0)) * np.abs(deviations).max(axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_columns(dense, dtype, order):
    X = np.asarray(dense, dtype=dtype, order=order)
    columns = Columns.of(X, True)
    exact = X.astype(np.float64)
    assert np.allclose(columns.center, exact.mean(axis=0), rtol=1e-12)
    assert columns.center.dtype == np.float64 and columns.scale.dtype == np.float32
    assert np.allclose(columns.scale, scale_by_numpy(X, exact.mean(axis=0)), rtol=1e-5)
    # between standard deviation and peak
    assert np.all(columns.scale >= exact.std(axis=0) * (1 - 1e-6))


def test_dense_columns_without_an_intercept_are_not_centred(dense):
    columns = Columns.of(dense, False)
    assert np.array_equal(columns.center, np.zeros(dense.shape[1]))
    assert np.allclose(columns.scale, scale_by_numpy(dense, 0.0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_columns_are_scaled_by_their_peaks(dtype, index):
    X = sparse.random_array((200, 30), density=0.1, rng=np.random.default_rng(1), format="csr")
    X.data = (X.data - 0.7) * 1000
    X = X.astype(dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    columns = Columns.of(X, True)
    peaks = abs(X).max(axis=0).toarray().ravel()
    assert columns.center is None
    assert (peaks > 0).sum() > 20
    assert np.array_equal(columns.scale, np.where(peaks == 0, 1, peaks).astype(np.float32))


def test_ones_need_no_scale():
    X = sparse.random_array((100, 20), density=0.2, rng=np.random.default_rng(2), format="csr")
    X.data[:] = 1
    assert Columns.of(X, True).scale is None
    assert Columns.of(X * 2, True).scale.max() == 2
    signs = X.copy()
    signs.data[::2] = -1
    assert Columns.of(signs, True).scale is None  # peaks are of absolute values


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, -1e6 / 3, 1e20])
def test_constant_columns_have_no_say(value):
    rng = np.random.default_rng(3)
    X = np.column_stack([np.full(1000, value), rng.normal(size=1000) * 3])
    columns = Columns.of(X, True)
    assert columns.scale[0] == 1 and columns.scale[1] > 2
    assert columns.center[0] == pytest.approx(value)


def test_a_single_row():
    columns = Columns.of(np.array([[3.0, -4.0]]), True)
    assert np.array_equal(columns.center, [3.0, -4.0]) and columns.scale is None


@pytest.mark.parametrize("value", [1e31, -1e31, 3e38])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_values_that_float32_cannot_compute_with(make, value):
    X = make(np.array([[1.0, 2.0], [value, 0.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="X has values beyond 1e.30"):
        Columns.of(X, True)


def test_scales_are_kept_in_range():
    X = np.array([[1e-30, 1e20], [0.0, 0.0]])
    assert np.array_equal(Columns.of(X, False).scale, np.float32([1e-12, 1e12]))


def curvature_by_numpy(X, columns):
    """Largest eigenvalue and trace of the second moment, by numpy's own solver."""
    rows = X.toarray() if sparse.issparse(X) else X.astype(np.float64)
    rows = (rows - (0 if columns.center is None else columns.center)) / (
        1 if columns.scale is None else columns.scale
    )
    rows = np.column_stack([rows, np.ones(len(rows))])
    moment = rows.T @ rows / len(rows)
    return np.linalg.eigvalsh(moment)[-1], np.trace(moment)


@pytest.mark.parametrize("kind", ["independent", "correlated", "sparse", "ones"])
def test_curvature(kind):
    rng = np.random.default_rng(4)
    if kind == "independent":
        X = rng.normal(size=(1500, 10)) * np.logspace(-2, 2, 10) + 5
    elif kind == "correlated":
        X = rng.normal(size=(1500, 1)) + 0.1 * rng.normal(size=(1500, 20))
    else:
        X = sparse.random_array((1500, 300), density=0.03, rng=rng, format="csr")
        if kind == "ones":
            X.data[:] = 1
    columns = Columns.of(X, True)
    top, mean = columns.curvature(X, 0)
    exact_top, exact_mean = curvature_by_numpy(X, columns)
    # Power iteration comes from below; where the largest eigenvalues are close it may end in any.
    assert 0.85 * exact_top <= top <= exact_top * (1 + 1e-6)
    assert mean == pytest.approx(exact_mean, rel=1e-6)
    if kind != "independent":
        assert top == pytest.approx(exact_top, rel=0.01)


def test_curvature_of_many_rows_is_that_of_a_sample(monkeypatch):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(20_000, 5)) @ rng.normal(size=(5, 5))
    columns = Columns.of(X, True)
    top, mean = columns.curvature(X, 0)
    exact_top, exact_mean = curvature_by_numpy(X, columns)
    assert top == pytest.approx(exact_top, rel=0.1) and mean == pytest.approx(exact_mean, rel=0.1)
    assert columns.curvature(X, 0) == (top, mean) != columns.curvature(X, 1)
    monkeypatch.setattr(_columns, "_SAMPLE", 20_000)
    assert columns.curvature(X, 0)[1] == pytest.approx(exact_mean, rel=1e-6)


def test_a_sparse_row_without_entries():
    X = sparse.csr_array((3, 4))
    columns = Columns.of(X, True)
    assert columns.curvature(X, 0) == (pytest.approx(1.0), 1.0)  # the intercept alone
