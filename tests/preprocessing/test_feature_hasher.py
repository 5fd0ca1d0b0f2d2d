"""The feature hasher: scikit-learn's of dicts, bit for bit, on datasets and frames."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from sklearn_cirrus import CirrusFeatureHasher, Dataset


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 300
    numbers = rng.normal(size=n) * 10
    numbers[rng.random(n) < 0.2] = np.nan
    texts = rng.choice(["a", "b", "\N{SNOWMAN}=x", "", "x" * 50], n)
    return pd.DataFrame({"n": numbers, "t": texts, "u": rng.integers(0, 3, n).astype(str)})


def dicts(frame):
    """What a hasher of dicts takes: nothing of what is missing."""
    rows = frame.to_dict("records")
    return [{k: v for k, v in row.items() if v == v and v != ""} for row in rows]


@pytest.mark.parametrize("alternate_sign", [True, False])
@pytest.mark.parametrize("n_features", [4, 2**20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bit_for_bit(inline, frame, alternate_sign, n_features, dtype):
    parameters = {"alternate_sign": alternate_sign, "dtype": dtype}
    expected = FeatureHasher(n_features, **parameters).transform(dicts(frame))
    hasher = CirrusFeatureHasher(n_features, **parameters)
    data = Dataset.from_arrays(frame, frame["u"], dtype="float64")
    hashed = hasher.fit(data).transform(data)
    assert hashed.shape == (300, n_features) and hashed.columns is None
    for found in (hashed.to_arrays()[0], hasher.transform(frame), hasher.transform(dicts(frame))):
        found, other = sparse.csr_array(found), sparse.csr_array(expected)
        assert found.dtype == dtype
        if dtype == np.float64:
            assert (found != other).nnz == 0
        else:  # what meets in a column is summed in float64 here
            assert abs(found - other).max() < 1e-5
    np.testing.assert_array_equal(hashed.y, frame["u"])


def test_numbers_as_buckets(inline):
    values = [0, 1, 5, 1e6, -3, np.nan]
    frame = pd.DataFrame({"n": values})
    texts = [-1 if v < 0 else int(np.log1p(v) ** 2) for v in values[:-1]]
    expected = FeatureHasher(64).transform([{"n": str(text)} for text in texts] + [{}])
    hasher = CirrusFeatureHasher(64, numbers="buckets")
    data = Dataset.from_arrays(frame, dtype="float64")
    for found in (hasher.transform(frame), hasher.transform(data).to_arrays()[0]):
        assert (sparse.csr_array(found) != sparse.csr_array(expected)).nnz == 0


def test_what_is_refused(inline, frame):
    data = Dataset.from_arrays(frame)
    with pytest.raises(ValueError, match="numbers must be one of value, buckets"):
        CirrusFeatureHasher(numbers="log").transform(data)
    with pytest.raises(ValueError, match="'n_features' parameter"):
        CirrusFeatureHasher(0).transform(data)
    with pytest.raises(ValueError, match="only a dataset with columns can be hashed"):
        CirrusFeatureHasher(8).transform(CirrusFeatureHasher(8).transform(data))
    with pytest.raises(ValueError, match="must be float32 or float64"):
        CirrusFeatureHasher(8, dtype=np.int64).transform(data)
