"""The made-up clicks: determined by the seed, of the promised shape, and learnable."""

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

from sklearn_cirrus.datasets import _clicks, make_clicks

GROUP = _clicks.GROUP


@pytest.fixture(scope="module")
def clicks():
    return make_clicks(70_000, return_probabilities=True)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def parts(X, y, *rest):
    return X.indptr, X.indices, X.data, y, *rest


def test_shape_and_dtypes(clicks):
    X, y, probabilities = clicks
    assert X.format == "csr" and X.shape == (70_000, 2**20) and X.dtype == np.float32
    assert X.indices.dtype == X.indptr.dtype == np.int32
    assert y.shape == probabilities.shape == (70_000,)
    assert y.dtype == np.int64 and set(np.unique(y)) == {0, 1}
    assert len(make_clicks(5)) == 2


@pytest.mark.parametrize("n_features", [2**20, 1000, 100, 39])
def test_rows_have_39_ones_in_distinct_sorted_columns(n_features):
    X, _ = make_clicks(3000, n_features=n_features)
    assert (X.data == 1).all()
    assert (np.diff(X.indptr) == 39).all()
    columns = X.indices.reshape(-1, 39)
    assert (np.diff(columns, axis=1) > 0).all()
    assert columns.min() >= 0 and columns.max() < n_features


def test_the_seed_determines_everything():
    first = parts(*make_clicks(2000, random_state=3, return_probabilities=True))
    assert_same(first, parts(*make_clicks(2000, random_state=3, return_probabilities=True)))
    for other_seed in (4, None, np.random.RandomState(3)):
        other = parts(*make_clicks(2000, random_state=other_seed, return_probabilities=True))
        same = isinstance(other_seed, np.random.RandomState)  # whose first draw is that of 3
        assert np.array_equal(first[1], other[1]) == same
        assert np.array_equal(first[4], other[4]) == same


def test_a_shorter_data_set_is_the_beginning_of_a_longer_one():
    X, y = make_clicks(GROUP + 100)
    for n in (1, 100, GROUP - 1, GROUP, GROUP + 1):
        X_short, y_short = make_clicks(n)
        assert_same(parts(X_short, y_short), parts(X[:n], y[:n]))


def test_rows_do_not_repeat(clicks):
    columns = clicks[0].indices.reshape(-1, 39)
    assert len(np.unique(columns, axis=0)) == len(columns)


def test_a_quarter_are_clicks(clicks):
    for seed in range(4):
        *_, probabilities = make_clicks(GROUP, random_state=seed, return_probabilities=True)
        # The calibration sample and this one each err by about 0.002.
        assert probabilities.mean() == pytest.approx(0.25, abs=0.015)


def test_the_probabilities_are_those_of_the_labels(clicks):
    """In each tenth of the rows by probability the share of clicks is within 4 sigma."""
    _, y, probabilities = clicks
    for rows in np.array_split(np.argsort(probabilities), 10):
        p = probabilities[rows]
        sigma = np.sqrt((p * (1 - p)).sum()) / len(rows)
        assert abs(y[rows].mean() - p.mean()) < 4 * sigma


def test_signal_is_the_standard_deviation_of_the_logits():
    for signal in (0, 0.5, 3):
        *_, p = make_clicks(GROUP, signal=signal, return_probabilities=True)
        assert np.log(p / (1 - p)).std() == pytest.approx(signal, rel=0.03, abs=1e-9)


def test_vocabularies_are_zipf_distributed():
    """The k-th value of a field has log(1 + 1/k) / log(1 + vocabulary) of the rows."""
    groups = [_clicks._draw(7, _clicks._ROWS, group)[0] for group in range(8)]
    values = np.concatenate(groups, axis=1)
    for field, vocabulary in enumerate(_clicks._VOCABULARIES, start=13):
        ranks = values[field]
        assert 1 <= ranks.min() and ranks.max() <= vocabulary
        for k in (1, 2, min(50, vocabulary)):
            expected = np.log(1 + 1 / k) / np.log(1 + vocabulary)
            sigma = np.sqrt(expected / len(ranks))
            assert abs((ranks == k).mean() - expected) < 4.5 * sigma
    largest = values[13 + 2]
    assert largest.max() > 1_900_000  # the tail is reached


def test_columns_are_skewed_and_the_tail_is_long(clicks):
    counts = np.sort(np.bincount(clicks[0].indices, minlength=2**20))[::-1]
    assert counts[:100].sum() > 0.25 * counts.sum()
    assert (counts == 1).sum() > 0.5 * (counts > 0).sum() > 50_000


def test_missing_counts_are_a_value_of_their_own():
    values, _, _ = _clicks._draw(7, _clicks._ROWS, 0)
    for field, (missing, _, _) in enumerate(_clicks._COUNTS):
        sigma = np.sqrt(missing / GROUP)
        assert abs((values[field] == 0).mean() - missing) <= 4 * sigma
    assert values[:13].max() < 400


def test_rare_values_have_effects_as_large_as_frequent_ones():
    effects = _clicks._Effects(5)
    values = np.zeros((39, 100_000), np.uint32)
    values[15] = np.arange(1, 100_001)
    sums = effects._sums(values)
    assert sums[:1000].std() == pytest.approx(1, rel=0.1)
    assert sums[-1000:].std() == pytest.approx(1, rel=0.1)
    assert abs(np.corrcoef(sums[1:], sums[:-1])[0, 1]) < 0.02


def test_a_linear_model_learns_between_the_constant_and_bayes(clicks):
    X, y, probabilities = clicks
    train, test = slice(0, 60_000), slice(60_000, None)
    model = SGDClassifier(
        loss="log_loss", alpha=1e-6, learning_rate="adaptive", eta0=0.02, max_iter=8, tol=None,
        random_state=0,
    ).fit(X[train], y[train])  # fmt: skip
    constant = log_loss(y[test], np.full(10_000, y[train].mean()))
    bayes = log_loss(y[test], probabilities[test])
    learned = log_loss(y[test], model.predict_proba(X[test]))
    assert bayes < learned < constant - 0.3 * (constant - bayes)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"n_samples": 0}, ValueError),
        ({"n_samples": 1.5}, TypeError),
        ({"n_samples": 10, "n_features": 38}, ValueError),
        ({"n_samples": 10, "n_features": 2**31}, ValueError),
        ({"n_samples": 10, "signal": -1}, ValueError),
    ],
)
def test_bad_arguments_are_refused(arguments, error):
    with pytest.raises(error):
        make_clicks(**arguments)
