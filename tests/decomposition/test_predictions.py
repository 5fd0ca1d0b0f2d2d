"""What a fitted model does, against NumPy: transform, score, predict_ratings, recommend."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.model_selection import Ratings

from . import oracle


def model_of(mf):
    """Return what the oracle needs to know."""
    return mf.components_, mf.item_bias_, mf.mean_


@pytest.mark.parametrize("solver", ["adagrad", "als"])
@pytest.mark.parametrize("biased", [True, False])
def test_fit_finds_what_was_planted(ratings, biased, solver):
    parameters = {"biased": biased, "backend": "inline", "random_state": 0, "solver": solver}
    mf = CirrusMatrixFactorization(3 + (not biased), alpha=0.01, max_iter=40, **parameters)
    mf.fit(ratings)
    errors = oracle.predict(mf.user_factors_, *model_of(mf)) - ratings
    # The noise has 0.1, a constant 1.9.
    assert np.sqrt(np.nanmean(errors**2)) < 0.35
    assert mf.mean_ == (pytest.approx(np.nanmean(ratings)) if biased else 0.0)
    assert biased or not mf.item_bias_.any()
    assert mf.user_factors_.shape == (60, 4)
    assert not mf.user_factors_[7].any() and not mf.components_[:, 3].any()
    assert mf.item_bias_[3] == 0


@pytest.mark.parametrize("solver", ["adagrad", "als"])
def test_the_objective_is_the_one_that_is_documented(ratings, solver):
    parameters = {"backend": "inline", "random_state": 0, "solver": solver}
    mf = CirrusMatrixFactorization(2, alpha=0.1, max_iter=60, **parameters).fit(ratings)
    found = oracle.objective(ratings, *model_of(mf), 0.1, True)
    assert mf.history_[-1]["objective"] == pytest.approx(found, rel=0.01)
    assert mf.n_iter_ == len(mf.history_) and mf.cost_ == 0.0


def test_users_are_folded_in_exactly(ratings, fitted):
    expected = oracle.fold_in(ratings, *model_of(fitted), 0.05, True)
    np.testing.assert_allclose(fitted.transform(ratings), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fitted.user_factors_, expected, rtol=1e-8, atol=1e-10)
    assert np.array_equal(fitted.transform(ratings[20:23]), fitted.user_factors_[20:23])


def test_fold_in_keeps_the_alpha_of_the_fit(ratings):
    mf = CirrusMatrixFactorization(1, max_iter=2, backend="inline", random_state=0).fit(ratings)
    before = mf.transform(ratings)
    mf.set_params(alpha=7.0, biased=False, n_components=4)
    assert np.array_equal(mf.transform(ratings), before)


def test_fit_transform_is_fit_and_transform(ratings, fitted):
    again = CirrusMatrixFactorization(**fitted.get_params())
    factors = again.fit_transform(ratings)
    assert np.array_equal(factors, fitted.transform(ratings))
    factors[:] = 0  # the model keeps its own
    assert np.array_equal(again.user_factors_, fitted.user_factors_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_preserved(ratings, dtype):
    X = ratings.astype(dtype)
    mf = CirrusMatrixFactorization(2, max_iter=3, backend="inline", random_state=0).fit(X)
    found = mf.transform(X)
    assert found.dtype == mf.components_.dtype == mf.item_bias_.dtype == dtype
    assert mf.user_factors_.dtype == mf.inverse_transform(found).dtype == dtype
    assert mf.predict_ratings(0, 0).dtype == mf.recommend(0)[1].dtype == dtype
    expected = oracle.fold_in(ratings, *map(np.float64, model_of(mf)), 0.1, True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_inverse_transform(ratings, fitted):
    users = fitted.transform(ratings[:5])
    expected = oracle.predict(users, *model_of(fitted))
    np.testing.assert_allclose(fitted.inverse_transform(users), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="X has 3 columns, expected the 4 that transform returns"):
        fitted.inverse_transform(users[:, :3])


@pytest.mark.parametrize("form", [np.asarray, Ratings])
def test_score(ratings, fitted, form):
    expected = -oracle.rmse(oracle.predict(fitted.user_factors_, *model_of(fitted)), ratings)
    assert fitted.score(form(ratings)) == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ValueError, match="X has no rating to score"):
        fitted.score(ratings[7:8])


def test_score_of_more_ratings_than_are_predicted_together(fitted):
    X = np.random.default_rng(0).normal(3, 1, (1000, 40))
    expected = oracle.predict(fitted.transform(X), *model_of(fitted))
    assert fitted.score(X) == pytest.approx(-oracle.rmse(expected, X), rel=1e-10)
    users, items = np.indices(X.shape)
    found = fitted.predict_ratings(users, items, X)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_predict_ratings(fitted):
    everything = fitted.inverse_transform(fitted.user_factors_)
    users, items = [0, 5, 5, 59], [39, 0, 3, 2]
    found = fitted.predict_ratings(users, items)
    np.testing.assert_allclose(found, everything[users, items], rtol=1e-12)
    assert fitted.predict_ratings(2, 4) == pytest.approx(everything[2, 4])
    table = fitted.predict_ratings(np.arange(60)[:, None], np.arange(40))
    np.testing.assert_allclose(table, everything, rtol=1e-12)
    assert fitted.predict_ratings([], []).shape == (0,)


def test_what_is_unknown_falls_back_to_the_biases(fitted):
    mean, bias = fitted.mean_, fitted.user_factors_[4, -1]
    assert fitted.predict_ratings(4, 3) == pytest.approx(mean + bias)
    assert fitted.predict_ratings(7, 5) == pytest.approx(mean + fitted.item_bias_[5])
    assert fitted.predict_ratings(7, 3) == pytest.approx(mean)


def test_predictions_for_other_users(ratings, fitted):
    others = ratings[::-1]
    expected = oracle.predict(fitted.transform(others), *model_of(fitted))
    found = fitted.predict_ratings([0, 1, 52], 6, X=sparse.csr_array(np.nan_to_num(others)))
    assert found.shape == (3,)
    found = fitted.predict_ratings([0, 1, 52], 6, X=others)
    np.testing.assert_allclose(found, expected[[0, 1, 52], 6], rtol=1e-12)


def brute_force(predicted, seen, n):
    """Return items and scores of one user, by sorting all of them."""
    left = [(-score, item) for item, score in enumerate(predicted) if not seen[item]]
    left = sorted(left)[:n] + [(np.nan, -1)] * max(0, n - len(left))
    return [item for _, item in left], [-score for score, _ in left]


@pytest.mark.parametrize("n_items", [1, 7, 40, 45])
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_recommend(ratings, fitted, exclude_seen, n_items, given):
    users = [3, 59, 7, 8, 3]
    X = ratings[::-1] if given else ratings
    predicted = fitted.inverse_transform(fitted.transform(X))
    items, scores = fitted.recommend(users, n_items, exclude_seen, X=X if given else None)
    assert items.shape == scores.shape == (5, n_items) and items.dtype == np.int64
    for u, found, values in zip(users, items, scores, strict=True):
        seen = ~np.isnan(X[u]) if exclude_seen else np.zeros(40, bool)
        expected = brute_force(predicted[u], seen, n_items)
        assert found.tolist() == expected[0]
        np.testing.assert_allclose(values, expected[1], rtol=1e-12)


def test_of_equal_items_the_first_are_recommended():
    X = np.full((3, 9), 4.0)
    X[0, 4:] = X[:, 8] = np.nan
    mf = CirrusMatrixFactorization(1, backend="inline", random_state=0).fit(X)
    mf.components_[:], mf.item_bias_[:] = 0, 0
    assert mf.recommend(0, 4)[0].tolist() == [4, 5, 6, 7]


def test_recommend_in_several_steps(ratings, fitted, monkeypatch):
    whole = fitted.recommend(np.arange(60), 5)
    monkeypatch.setattr("sklearn_cirrus._factor_model._SCORES", 7 * 40)
    parts = fitted.recommend(np.arange(60).reshape(6, 10), 5)
    for one, other in zip(whole, parts, strict=True):
        assert other.shape == (6, 10, 5)
        np.testing.assert_allclose(one, other.reshape(60, 5), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda mf: mf.predict_ratings(60, 0), "users must lie in 0 to 59; 60 does not"),
        (lambda mf: mf.predict_ratings([0, -1], 0), "users must lie in 0 to 59; -1 does not"),
        (lambda mf: mf.predict_ratings(0, [40]), "items must lie in 0 to 39; 40 does not"),
        (lambda mf: mf.predict_ratings(0.0, 0), "users must be integers, not of dtype float64"),
        (lambda mf: mf.predict_ratings(0, ["film"]), "items must be integers"),
        (lambda mf: mf.predict_ratings([True], 0), "users must be integers, not of dtype bool"),
        (lambda mf: mf.predict_ratings([0, 1], [0, 1, 2]), "do not go together"),
        (lambda mf: mf.predict_ratings(2, 0, X=np.ones((2, 40))), "0 to 1; 2 does not"),
        (lambda mf: mf.predict_ratings(0, 0, X=np.ones((2, 39))), "39 features"),
        (lambda mf: mf.recommend(60), "users must lie in 0 to 59"),
        (lambda mf: mf.recommend(0, 0), "n_items must be an integer, 1 or more"),
        (lambda mf: mf.recommend(0, exclude_seen="yes"), "exclude_seen must be True or False"),
        (lambda mf: mf.recommend(2, X=np.ones((2, 40))), "users must lie in 0 to 1"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(fitted, call, message):
    with pytest.raises(ValueError, match=message):
        call(fitted)
