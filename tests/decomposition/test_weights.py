"""Weights of ratings: what they do, in every form, and what is refused."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.model_selection import Ratings

from . import oracle


def fit(X, rating_weight=None, **parameters):
    parameters = {"backend": "inline", "random_state": 0, "max_iter": 40} | parameters
    return CirrusMatrixFactorization(2, **parameters).fit(X, rating_weight=rating_weight)


@pytest.fixture(scope="module")
def weights(ratings):
    """Dense, NaN where there is no rating; some are zero."""
    random = np.random.default_rng(1)
    weights = random.integers(0, 4, ratings.shape).astype(float)
    weights[np.isnan(ratings)] = np.nan
    weights[9] *= 0  # a user of no weight
    return weights


def stored(X, pattern):
    users, items = np.nonzero(~np.isnan(pattern))
    return sparse.coo_array((X[users, items], (users, items)), X.shape)


def test_users_are_weighted_ridge_regressions(ratings, weights):
    mf = fit(ratings, weights)
    model = mf.components_, mf.item_bias_, mf.mean_
    expected = oracle.fold_in(ratings, *model, 0.1, True, np.nan_to_num(weights))
    np.testing.assert_allclose(mf.user_factors_, expected, rtol=1e-7, atol=1e-9)
    assert not mf.user_factors_[9].any()
    kept = ~np.isnan(ratings)
    assert mf.mean_ == pytest.approx(np.average(ratings[kept], weights=weights[kept]))
    assert np.array_equal(mf.transform(ratings, rating_weight=weights), mf.user_factors_)
    again = CirrusMatrixFactorization(**mf.get_params())
    assert np.array_equal(again.fit_transform(ratings, rating_weight=weights), mf.user_factors_)


def test_the_objective_is_weighted(ratings, weights):
    weights = np.where(weights > 2, 30.0, 0.1)

    def weighted(mf):
        return oracle.objective(
            ratings, mf.components_, mf.item_bias_, mf.mean_, 0.1, True, weights
        )

    mf = fit(ratings, warm_start=True)
    before = weighted(mf)
    mf.fit(ratings, rating_weight=weights)
    assert weighted(mf) < 0.96 * before
    assert mf.history_[-1]["objective"] == pytest.approx(weighted(mf), rel=0.02)


def test_weight_zero_is_no_rating(ratings, weights):
    without = np.where(weights == 0, np.nan, ratings)
    ones = np.where(weights == 0, 0.0, 1.0)
    a, b = fit(ratings, ones), fit(without)
    np.testing.assert_allclose(a.components_, b.components_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(a.user_factors_, b.user_factors_, rtol=1e-5, atol=1e-7)
    # But it has been seen.
    seen = np.flatnonzero(weights[12] == 0)
    assert not np.isin(seen, a.recommend(12, 40)[0]).any()
    assert np.isin(seen, b.recommend(12, 40)[0]).all()


def test_their_size_does_not_matter(ratings, weights):
    a, b = fit(ratings, weights), fit(ratings, 1000 * weights)
    np.testing.assert_allclose(a.components_, b.components_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("X", ["dense", "sparse", "Ratings"])
@pytest.mark.parametrize("form", ["dense", "sparse", "lists", "list"])
def test_forms(ratings, weights, X, form):
    if form == "list" and X != "Ratings":
        pytest.skip("only Ratings have a list of weights")
    expected = fit(ratings, weights, max_iter=3)
    x = {"dense": ratings, "sparse": sparse.csc_array(stored(ratings, ratings))}
    x["Ratings"] = Ratings(ratings)[::-1]
    w = {"dense": weights, "lists": weights.tolist(), "sparse": stored(weights, ratings)}
    w["list"] = w["sparse"].tocsr().data[::-1].tolist()
    found = fit(x[X], w[form], max_iter=3)
    assert np.array_equal(found.components_, expected.components_)
    assert np.array_equal(found.user_factors_, expected.user_factors_)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda w: -w, "rating_weight is negative where X has a rating"),
        (lambda w: 0 * w, "rating_weight is zero wherever X has a rating"),
        (lambda w: np.full(w.shape, np.nan), "rating_weight is NaN or infinite where"),
        (lambda w: w + np.inf, "infinity"),
        (lambda w: w[:, 1:], r"rating_weight has shape \(60, 39\), expected \(60, 40\)"),
        (lambda w: np.ones(60), r"rating_weight has shape \(60,\), expected \(60, 40\), as X"),
        (lambda w: 2.0, r"rating_weight has shape \(\), expected"),
        (lambda w: "even", "could not convert|dtype"),
        (lambda w: sparse.csr_array(np.ones(w.shape)), "must store a weight for each rating"),
        (lambda w: sparse.csr_array(w.shape), "must store a weight for each rating"),
    ],
)
def test_bad_weights_are_refused_with_the_reason(ratings, weights, bad, message):
    with pytest.raises(ValueError, match=message):
        fit(ratings, bad(weights))


def test_a_list_of_weights_has_one_for_each_rating(ratings):
    some = Ratings(ratings)
    with pytest.raises(ValueError, match=rf"expected \(60, 40\), or \({len(some)},\): one for"):
        fit(some, np.ones(60))
