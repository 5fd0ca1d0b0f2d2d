"""The scalers: scikit-learn's attributes to 1e-12 on datasets, scikit-learn itself on arrays."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_cirrus import CirrusMinMaxScaler, CirrusStandardScaler, Dataset, config_context


def assert_same(found, expected, rtol=1e-12):
    """Fail unless two scalers have learnt the same."""
    names = {name for name in vars(expected) if name.endswith("_")}
    assert names == {name for name in vars(found) if name.endswith("_")}
    for name in names:
        value, other = getattr(found, name), getattr(expected, name)
        if other is None or isinstance(other, int | np.integer):
            assert value == other, name
        elif name != "feature_names_in_":
            np.testing.assert_allclose(value, other, rtol=rtol, atol=1e-300, err_msg=name)
            assert np.shape(value) == np.shape(other), name


@pytest.fixture(scope="module")
def X():
    """Columns far from zero, nearly constant, constant, with gaps, of gaps alone, of all sizes."""
    rng = np.random.default_rng(0)
    X = rng.normal(5, 3, (700, 8))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 2] += 1e9
    X[:, 3] = 7.1
    X[:, 4] = 1e-200 * X[:, 4]
    X[:, 5] = np.nan
    X[:, 6] = 100 + X[:, 0] * 1e-3
    X[:, 7] = rng.lognormal(0, 5, 700)
    return X


CASES = [
    (CirrusStandardScaler, StandardScaler, {}),
    (CirrusStandardScaler, StandardScaler, {"with_mean": False}),
    (CirrusStandardScaler, StandardScaler, {"with_std": False}),
    (CirrusStandardScaler, StandardScaler, {"with_mean": False, "with_std": False}),
    (CirrusMinMaxScaler, MinMaxScaler, {}),
    (CirrusMinMaxScaler, MinMaxScaler, {"feature_range": (-2, 5), "clip": True}),
]


@pytest.mark.filterwarnings("ignore:All-NaN slice", "ignore:invalid value encountered in divide")
@pytest.mark.parametrize("ours, theirs, parameters", CASES, ids=str)
def test_scikit_learns_attributes_and_values(inline, X, ours, theirs, parameters):
    X = X[:, [0, 1, 3, 4, 5, 6, 7]]
    data = Dataset.from_arrays(X, dtype="float64")
    assert data.n_blocks > 40
    found, expected = ours(**parameters).fit(data), theirs(**parameters).fit(X)
    assert_same(found, expected)
    values = found.transform(data)
    assert isinstance(values, Dataset) and values.shape == X.shape
    np.testing.assert_allclose(values.to_arrays()[0], expected.transform(X), rtol=1e-9, atol=1e-12)
    # A fitted one takes arrays as well.
    np.testing.assert_allclose(found.transform(X), expected.transform(X), rtol=1e-9, atol=1e-12)
    if not parameters.get("clip"):
        back = found.inverse_transform(values).to_arrays()[0]
        np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)
    assert_same(ours(**parameters).fit(X), theirs(**parameters).fit(X), 0)
    half = ours(**parameters).partial_fit(data[:300]).partial_fit(data[300:])
    assert_same(half, expected)
    mixed = ours(**parameters).partial_fit(X[:300]).partial_fit(data[300:])
    assert_same(mixed, expected)


def test_digits_far_from_zero_are_kept(inline):
    """Merged moments are nearer to the truth than sums of squares would be."""
    rng = np.random.default_rng(1)
    X = 1e9 + rng.normal(size=(600, 2))
    exact = np.var(X.astype(np.longdouble), axis=0)
    found = CirrusStandardScaler().fit(Dataset.from_arrays(X, dtype="float64"))
    np.testing.assert_allclose(found.var_, exact.astype(float), rtol=1e-12)


@pytest.mark.parametrize("with_std", [True, False])
def test_sparse_rows_are_only_scaled(inline, with_std):
    X = sparse.random(400, 20, 0.3, "csr", random_state=0)
    X = sparse.csr_array(X)
    X.data -= 0.4
    data = Dataset.from_arrays(X, dtype="float64")
    parameters = {"with_mean": False, "with_std": with_std}
    found = CirrusStandardScaler(**parameters).fit(data)
    expected = StandardScaler(**parameters).fit(X)
    assert_same(found, expected)
    values = found.transform(data).to_arrays()[0]
    assert sparse.issparse(values) and abs(values - expected.transform(X)).max() < 1e-12
    with pytest.raises(ValueError, match="Cannot center sparse matrices: pass `with_mean=False`"):
        CirrusStandardScaler().fit(data)
    with pytest.raises(TypeError, match="does not support sparse input"):
        CirrusMinMaxScaler().fit(data)


def test_on_workers(X):
    X = np.ascontiguousarray(X[:, :2])
    with config_context(backend="local", n_workers=2, block_bytes=2048):
        data = Dataset.from_arrays(X, dtype="float32")
        found = CirrusStandardScaler().fit(data)
    assert_same(found, StandardScaler().fit(X.astype(np.float32)), 1e-6)
    assert_same(found, StandardScaler().fit(X.astype(np.float32).astype(float)))


def test_a_part_is_fitted_as_it_is(inline, X):
    X = X[:, :2]
    data = Dataset.from_arrays(X, dtype="float64")
    rows = np.random.default_rng(0).integers(0, 700, 900)
    assert_same(CirrusStandardScaler().fit(data[rows]), StandardScaler().fit(X[rows]))
    with pytest.raises(ValueError, match="0 sample"):
        CirrusStandardScaler().fit(data[:0])


def test_one_after_the_other(inline, X):
    X = X[:, :2]
    data = Dataset.from_arrays(X, dtype="float64")
    first = CirrusMinMaxScaler().fit(data)
    second = CirrusStandardScaler().fit(first.transform(data))
    expected = StandardScaler().fit(MinMaxScaler().fit_transform(X))
    assert_same(second, expected)
    with pytest.raises(ValueError, match="X has 1 features, but CirrusStandardScaler is expecting"):
        second.transform(Dataset.from_arrays(X[:, :1]))


def test_what_is_refused(inline, X):
    import pandas as pd

    data = Dataset.from_arrays(X[:, :2], dtype="float64")
    with pytest.raises(ValueError, match="sample_weight cannot be used with a Dataset"):
        CirrusStandardScaler().fit(data, sample_weight=np.ones(700))
    with pytest.raises(ValueError, match="not fitted|fitted yet"):
        CirrusStandardScaler().transform(data)
    table = Dataset.from_arrays(pd.DataFrame({"t": ["a", "b"], "n": [1, 2]}))
    with pytest.raises(Exception, match="column 't' holds text"):
        CirrusStandardScaler().fit(table)
    with pytest.raises(ValueError, match="feature_range|Minimum of desired"):
        CirrusMinMaxScaler(feature_range=(1, 0)).fit(data)
