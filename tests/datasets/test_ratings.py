"""The made-up ratings: determined by the seed, long-tailed, and made of what they claim."""

import numpy as np
import pytest

from sklearn_cirrus.datasets import _ratings, make_ratings


@pytest.fixture(scope="module")
def ratings():
    """Ratings of the density and tails of the prize, in several groups of users."""
    return make_ratings(3000, 6000, 250_000, random_state=1, return_parameters=True)


def pairs(X):
    """The user and the item of each rating."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices


def predict(planted, X):
    users, items = pairs(X)
    products = (planted.user_factors[users] * planted.item_factors[items]).sum(axis=1)
    return planted.mean + planted.user_bias[users] + planted.item_bias[items] + products


def share_of_the_first_tenth(counts):
    return np.sort(counts)[::-1][: len(counts) // 10].sum() / counts.sum()


def test_shape_and_dtypes(ratings):
    X, planted = ratings
    assert X.format == "csr" and X.shape == (3000, 6000) and X.nnz == 250_000
    assert X.dtype == np.float32 and X.indices.dtype == X.indptr.dtype == np.int32
    shapes = {name: value.shape for name, value in planted.items() if name != "mean"}
    assert shapes == {
        "user_bias": (3000,), "item_bias": (6000,),
        "user_factors": (3000, 10), "item_factors": (6000, 10),
    }  # fmt: skip
    assert not hasattr(make_ratings(5, 5, 10), "item_bias")


@pytest.mark.parametrize(
    "shape", [(3000, 6000, 250_000), (50, 20, 1000), (50, 20, 990), (40, 30, 40), (1, 1, 1)]
)
def test_every_user_rates_and_none_rates_twice(shape):
    X = make_ratings(*shape, random_state=1)
    assert X.shape == shape[:2] and X.nnz == len(X.data) == shape[2]
    users, items = pairs(X)
    assert (np.diff(users * shape[1] + items) > 0).all()  # sorted and distinct
    assert np.diff(X.indptr).min() >= 1
    assert items.min() >= 0 and items.max() < shape[1]


def test_the_seed_determines_everything():
    def parts(seed):
        X, planted = make_ratings(400, 300, 9000, random_state=seed, return_parameters=True)
        return X.indptr, X.indices, X.data, planted.user_bias, planted.item_factors

    first = parts(3)
    for seed in (3, np.random.RandomState(3)):
        for a, b in zip(first, parts(seed), strict=True):
            np.testing.assert_array_equal(a, b)
    for seed in (4, None):
        assert not any(np.array_equal(a, b) for a, b in zip(first, parts(seed), strict=True))


def test_tails_are_those_of_the_prize(ratings):
    """There a tenth of the users has half of the ratings, a tenth of the films three quarters."""
    X, _ = ratings
    of_users, of_items = np.diff(X.indptr), np.bincount(X.indices, minlength=6000)
    assert share_of_the_first_tenth(of_users) == pytest.approx(0.5, abs=0.05)
    assert of_users.mean() / np.median(of_users) == pytest.approx(2.2, rel=0.1)
    assert share_of_the_first_tenth(of_items) == pytest.approx(0.75, abs=0.05)
    assert of_items.mean() / np.median(of_items) > 4
    # Neither rows nor columns are sorted by their counts.
    for counts in (of_users, of_items):
        assert abs(np.corrcoef(np.arange(len(counts)), counts)[0, 1]) < 0.05


@pytest.mark.parametrize("rounds", [0, 8])
def test_items_are_drawn_as_one_after_the_other(rounds, monkeypatch):
    """However many rounds there are: three of five items, against the exact probabilities."""
    monkeypatch.setattr(_ratings, "_ROUNDS", rounds)
    random = np.random.default_rng(0)
    popularity = _ratings._Popularity(5, random)
    p = popularity.chances
    assert p.sum() == pytest.approx(1)
    n = 20_000
    drawn = np.bincount(_ratings._choose(np.full(n, 3), popularity, random), minlength=5) / n
    exact = np.zeros(5)
    for i in range(5):
        for j in set(range(5)) - {i}:
            for k in set(range(5)) - {i, j}:
                chance = p[i] * p[j] / (1 - p[i]) * p[k] / (1 - p[i] - p[j])
                exact[[i, j, k]] += chance
    np.testing.assert_allclose(drawn, exact, atol=4.5 * np.sqrt(0.25 / n))


def test_popularity_is_drawn_by_its_chances():
    popularity = _ratings._Popularity(200, np.random.default_rng(1))
    n = 400_000
    drawn = np.bincount(popularity.draw(n, np.random.default_rng(2)), minlength=200)
    sigma = np.sqrt(n * popularity.chances)
    assert (abs(drawn - n * popularity.chances) < 4.5 * sigma).all()


@pytest.mark.parametrize(
    ("step", "values"), [(1.0, np.arange(1, 6)), (0.5, np.arange(1, 11) / 2), (None, None)]
)
def test_ratings_are_rounded_to_stars(step, values):
    X = make_ratings(300, 200, 9000, step=step, random_state=0)
    if values is None:
        assert len(np.unique(X.data)) > 8900 and X.data.min() < 1 and X.data.max() > 5
    else:
        np.testing.assert_array_equal(np.unique(X.data), values)


def test_the_planted_parameters_leave_the_noise():
    for noise in (0.0, 0.3, 1.2):
        X, planted = make_ratings(
            500, 400, 20_000, noise=noise, step=None, random_state=2, return_parameters=True
        )
        residuals = X.data - predict(planted, X)
        assert residuals.std() == pytest.approx(noise, rel=0.03, abs=1e-5)
        assert abs(residuals.mean()) < 5 * (noise + 1e-6) / np.sqrt(X.nnz)


def test_no_factors_is_biases_alone():
    X, planted = make_ratings(
        300, 200, 9000, n_factors=0, noise=0, step=None, return_parameters=True
    )
    assert planted.item_factors.shape == (200, 0)
    users, items = pairs(X)
    expected = planted.mean + planted.user_bias[users] + planted.item_bias[items]
    np.testing.assert_allclose(X.data, expected, rtol=1e-6)


def test_a_model_reaches_the_planted_error():
    """With ratings enough, alternating least squares ends near the noise on those held out."""
    X, planted = make_ratings(
        400, 200, 40_000, n_factors=2, noise=0.5, step=None, random_state=0,
        return_parameters=True,
    )  # fmt: skip
    users, items = pairs(X)
    held = np.random.default_rng(0).random(X.nnz) < 0.1
    right = np.random.default_rng(1).normal(0, 0.1, (200, 4))
    left = np.zeros((400, 4))
    sides = ((left, users, right, items, 2), (right, items, left, users, 3))
    mean = X.data[~held].mean()
    for _ in range(8):
        for table, own, other, others, ones in sides:
            for row in range(len(table)):
                of_row = ~held & (own == row)
                known = other[others[of_row]].copy()
                y = X.data[of_row] - mean - known[:, 5 - ones]
                known[:, 5 - ones] = 1
                # Columns: two factors, the user's bias (2), the item's bias (3).
                free = [0, 1, 5 - ones]
                A = known[:, free]
                solution = np.linalg.solve(A.T @ A + 2 * np.eye(3), A.T @ y)
                table[row, [0, 1, ones]] = solution
    L, R = left[users[held]], right[items[held]]
    predicted = mean + (L[:, :2] * R[:, :2]).sum(axis=1) + L[:, 2] + R[:, 3]
    error = np.sqrt(np.mean((predicted - X.data[held]) ** 2))
    floor = np.sqrt(np.mean((predict(planted, X)[held] - X.data[held]) ** 2))
    biases_alone = np.std(
        X.data[held] - planted.user_bias[users[held]] - planted.item_bias[items[held]]
    )
    assert floor < error < 1.1 * floor < 0.9 * biases_alone


def test_memory_stays_small_beside_the_result():
    import tracemalloc

    tracemalloc.start()
    try:
        X = make_ratings(20_000, 2000, 1_500_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.data.nbytes + X.indices.nbytes + X.indptr.nbytes + 100 * 2**20


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"n_users": 0}, ValueError),
        ({"n_users": 2.5}, TypeError),
        ({"n_ratings": 19_999}, ValueError),
        ({"n_ratings": 20_000 * 17_770 + 1}, ValueError),
        ({"n_factors": -1}, ValueError),
        ({"noise": -0.1}, ValueError),
        ({"step": 0.25}, ValueError),
    ],
)
def test_bad_arguments_are_refused(arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        make_ratings(**arguments)
