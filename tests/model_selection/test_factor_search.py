"""CirrusSearchCV over matrix factorizations against GridSearchCV over the same candidates."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit

from sklearn_cirrus import CirrusMatrixFactorization, Dataset, config_context
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


# Another random_state moves these scores by 2 to 9%. The table's fits have the same as fits by
# themselves; but of sgd and its kin, an item's steps go by its share of all ratings.
NOISE = {"adagrad": 0.004, "ftrl": 0.004} | dict.fromkeys(["sgd", "momentum", "nesterov"], 0.03)
NOISE["adam"] = 0.01
GRID = {"alpha": [0.05, 0.5], "n_components": [1, 3]}


@pytest.mark.parametrize("solver", ["adagrad", "sgd", "momentum", "nesterov", "adam", "ftrl"])
def test_a_table_of_candidates_has_the_scores_of_fits_by_themselves(ratings, mf, solver):
    mf.set_params(solver=solver, batch_size=20, max_iter=20)
    search = CirrusSearchCV(mf, GRID, cv=CV, refit=False).fit(Ratings(ratings))
    theirs = grid_search(mf, GRID, refit=False).fit(Ratings(ratings))
    assert len(search.history_) == 1  # one table
    assert search.history_[0][0]["fits"] == 12
    for key in ("mean_test_score", "split2_test_score"):
        np.testing.assert_allclose(
            search.cv_results_[key], theirs.cv_results_[key], rtol=NOISE[solver]
        )
    assert np.ptp(theirs.cv_results_["mean_test_score"]) > 0.1


@pytest.mark.parametrize("biased", [True, False])
def test_weights_metrics_rates_and_train_scores_in_a_table(ratings, mf, biased):
    """Weights, some of them zero; a split that leaves ratings out; an order of one's own."""
    random = np.random.default_rng(0)
    X = Ratings(ratings)
    X = X[random.permutation(len(X))]
    weight = random.uniform(0.2, 2.0, len(X)) * (random.random(len(X)) > 0.1)
    grid = [{"alpha": [0.1], "learning_rate": [0.2, 0.4]}, {"tol": [0.1], "alpha": [0.3]}]
    more = {"return_train_score": True, "refit": "rmse"}
    more["scoring"] = {"rmse": rating_rmse_scorer, "shown": lambda mf, X, y=None: mf.score(X)}
    more["cv"] = ShuffleSplit(3, train_size=0.6, test_size=0.2, random_state=0)
    mf.set_params(biased=biased, batch_size=20)
    search = CirrusSearchCV(mf, grid, **more).fit(X, rating_weight=weight)
    theirs = grid_search(mf, grid, **more).fit(X, rating_weight=weight)
    assert len(search.history_) == 2  # numbers for learning_rate, and "auto"
    assert search.cv_results_.keys() == theirs.cv_results_.keys()
    for key in ("mean_test_rmse", "mean_test_shown", "mean_train_rmse", "split1_test_rmse"):
        np.testing.assert_allclose(search.cv_results_[key], theirs.cv_results_[key], rtol=0.004)
    assert search.best_params_ == theirs.best_params_


def test_halving_on_workers_and_latecomers(ratings, mf):
    """Two workers, several blocks; the leaderboard goes by what the scores are of."""

    def steer(search):
        if len(added) == 0:
            added.extend(search.add_candidates({"alpha": [9.0], "n_components": [3]}))

    added, grid = [], {"alpha": [0.1, 1.0, 3.0, 9.0]}
    mf.set_params(backend="local", n_workers=2, max_iter=6, batch_size=1000)  # more than users
    with config_context(block_bytes=4096):
        search = CirrusSearchCV(
            mf, grid, cv=CV, halving=2, min_epochs=2, callback=steer, refit=False
        ).fit(Ratings(ratings))
        theirs = grid_search(mf, grid, refit=False).fit(Ratings(ratings))
    assert [entry["fits"] for entry in search.history_[0]] == [12, 15, 9, 6, 3, 0]
    results = search.cv_results_
    assert results["dropped"].sum() == 4
    best = results["params"][search.best_index_]["alpha"]
    assert best == theirs.best_params_["alpha"]
    assert search.best_score_ == pytest.approx(theirs.best_score_, rel=0.03)
    assert results["params"][4] == {"alpha": 9.0, "n_components": 3}
    # An epoch's errors are those at the items that the minibatch has found; the scores come later.
    assert search.leaderboard_[0]["held_out_loss"] == pytest.approx(
        -search.cv_results_["mean_test_score"][search.leaderboard_[0]["candidate"]], rel=0.5
    )


def test_workers_and_client_find_the_same_held_out_errors(ratings, mf):
    """The scores by the workers' last pass are those of the fitted estimators, cold items too."""
    X = Ratings(ratings)
    cold = X.items == 5
    splits = [(np.flatnonzero(~cold), np.flatnonzero(cold))]
    splits.append((np.flatnonzero(np.arange(len(X)) % 3 > 0), np.arange(0, len(X), 3)))
    by_workers = CirrusSearchCV(mf, GRID, cv=splits, refit=False).fit(X)
    by_client = CirrusSearchCV(
        mf, GRID, cv=splits, refit=False, scoring={"rmse": rating_rmse_scorer}
    ).fit(X)
    for split in range(2):
        np.testing.assert_allclose(
            by_workers.cv_results_[f"split{split}_test_score"],
            by_client.cv_results_[f"split{split}_test_rmse"],
            rtol=1e-5,
        )


def test_candidates_that_share_nothing_are_fitted_one_by_one(ratings, mf):
    """als, by exact steps: the same bits as GridSearchCV's, weights, metrics and refit too."""
    X, seen = Ratings(ratings), []
    mf.set_params(solver="als", max_iter=3)
    weight = np.random.default_rng(0).uniform(0.2, 2.0, len(X))
    more = {"return_train_score": True, "refit": "rmse"}
    more["scoring"] = {"rmse": rating_rmse_scorer, "shown": lambda mf, X, y=None: mf.score(X)}
    search = CirrusSearchCV(
        mf, GRID, cv=CV, callback=lambda s: seen.append(len(s.leaderboard_)), **more
    ).fit(X, rating_weight=weight)
    theirs = grid_search(mf, GRID, **more).fit(X, rating_weight=weight)
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
