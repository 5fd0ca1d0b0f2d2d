"""CirrusSearchCV over matrix factorizations against GridSearchCV over the same candidates."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_cirrus import CirrusMatrixFactorization, Dataset
from sklearn_cirrus.model_selection import (
    CirrusSearchCV,
    Ratings,
    RatingsKFold,
    rating_rmse_scorer,
)

CV = RatingsKFold(3, random_state=0)


@pytest.fixture(scope="module")
def ratings():
    """80 users, 40 items, two planted factors and noise; a user without ratings, an item too."""
    random = np.random.default_rng(3)
    X = 3 + random.normal(size=(80, 2)) @ random.normal(size=(2, 40)) + random.normal(size=40)
    X += 0.7 * random.normal(size=X.shape)
    X[random.random(X.shape) < 0.4] = np.nan
    X[7], X[:, 3] = np.nan, np.nan
    return X


@pytest.fixture
def mf():
    return CirrusMatrixFactorization(2, max_iter=8, tol=None, backend="inline", random_state=0)


def grid_search(mf, grid, cv=CV, **more):
    return GridSearchCV(mf, grid, cv=cv, **{"scoring": rating_rmse_scorer} | more)


def test_candidates_that_share_nothing_are_fitted_one_by_one(ratings, mf):
    """als, by exact steps: the same bits as GridSearchCV's, weights, metrics and refit too."""
    X, seen = Ratings(ratings), []
    mf.set_params(solver="als", max_iter=3)
    weight = np.random.default_rng(0).uniform(0.2, 2.0, len(X))
    grid = {"alpha": [0.05, 0.5], "n_components": [1, 3]}
    more = {"return_train_score": True, "refit": "rmse"}
    more["scoring"] = {"rmse": rating_rmse_scorer, "shown": lambda mf, X, y=None: mf.score(X)}
    search = CirrusSearchCV(
        mf, grid, cv=CV, callback=lambda s: seen.append(len(s.leaderboard_)), **more
    ).fit(X, rating_weight=weight)
    theirs = grid_search(mf, grid, **more).fit(X, rating_weight=weight)
    assert search.cv_results_.keys() == theirs.cv_results_.keys()
    assert search.cv_results_["params"] == theirs.cv_results_["params"]
    for key in search.cv_results_:
        if "_test_" in key or "_train_" in key:
            np.testing.assert_array_equal(search.cv_results_[key], theirs.cv_results_[key])
    assert seen == [1, 2, 3, 4]
    assert search.best_params_ == theirs.best_params_
    np.testing.assert_array_equal(
        search.best_estimator_.components_, theirs.best_estimator_.components_
    )
    best = search.leaderboard_[0]
    assert best["params"] == search.best_params_
    scores = [search.cv_results_[f"split{i}_test_rmse"][search.best_index_] for i in range(3)]
    assert best["held_out_loss"] == pytest.approx(np.mean(np.square(scores)))
    assert best["status"] == "done"
    assert best["epochs"] == 3


def test_users_are_split_where_X_is_a_matrix(ratings, mf):
    grid = {"alpha": [0.05, 0.5]}
    search = CirrusSearchCV(mf, grid, cv=3).fit(ratings)
    theirs = grid_search(mf, grid, cv=KFold(3)).fit(ratings)
    for key in ("mean_test_score", "split2_test_score"):
        np.testing.assert_array_equal(search.cv_results_[key], theirs.cv_results_[key])
    assert search.transform(ratings).shape == (80, 3)
    assert search.score(ratings) == rating_rmse_scorer(search.best_estimator_, ratings)


def test_they_come_and_go_too(ratings, mf):
    def steer(search):
        if len(search.leaderboard_) == 1:
            assert search.add_candidates({"alpha": [0.3]}) == [3]
            search.drop_candidates([1])
        elif len(search.leaderboard_) == 3:
            search.add_candidates({"alpha": [9.0]})
            search.stop()

    grid = {"alpha": [0.05, 0.1, 0.2]}
    mf.set_params(solver="als", max_iter=2)
    search = CirrusSearchCV(mf, grid, cv=CV, callback=steer).fit(Ratings(ratings))
    assert [p["alpha"] for p in search.cv_results_["params"]] == [0.05, 0.2, 0.3]


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_bad_parameters_get_the_error_score(ratings, mf):
    mf.set_params(solver="als", max_iter=2)
    with pytest.warns(FitFailedWarning, match="alpha must be greater than 0"):
        search = CirrusSearchCV(mf, {"alpha": [0.1, 0]}, cv=CV).fit(Ratings(ratings))
    assert search.best_params_ == {"alpha": 0.1}
    assert np.isnan(search.leaderboard_[1]["held_out_loss"])


def test_what_a_search_over_ratings_refuses(ratings, mf):
    data = Dataset.from_arrays(np.nan_to_num(ratings), np.zeros(80))
    with pytest.raises(ValueError, match=r"does not take a Dataset.*Ratings"):
        CirrusSearchCV(mf, {"alpha": [0.1]}).fit(data)
    with pytest.raises(ValueError, match="halving must be None"):
        CirrusSearchCV(mf, {"alpha": [0.1]}, halving=2).fit(Ratings(ratings))
