"""CirrusSearchCV against scikit-learn's searches over the same candidates."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from sklearn_cirrus import _search_run
from sklearn_cirrus.exceptions import DivergenceError
from sklearn_cirrus.model_selection import CirrusSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NOISE = 0.01  # of a mean log loss of about 0.5


def same_scores(search, other, keys=("mean_test_score",), atol=NOISE):
    """The keys are the same and these scores agree within the noise."""
    assert search.cv_results_.keys() == other.cv_results_.keys()
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for key in keys:
        np.testing.assert_allclose(search.cv_results_[key], other.cv_results_[key], atol=atol)


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adagrad", "adam", "ftrl"])
def test_scores_are_those_of_exact_fits(data, clf, solver):
    """Of scikit-learn's own logistic regression: the optimum of each candidate on each split."""
    grid = {"C": [0.001, 0.01, 1.0]}
    cv = StratifiedKFold(3)
    search = CirrusSearchCV(clf.set_params(solver=solver), grid, cv=cv).fit(*data)
    exact = GridSearchCV(LogisticRegression(), grid, cv=cv, scoring="neg_log_loss").fit(*data)
    same_scores(search, exact, ["split0_test_score", "split2_test_score", "mean_test_score"])
    assert search.best_params_ == exact.best_params_
    assert search.n_splits_ == 3


@pytest.mark.parametrize(("classes", "weighted"), [(2, False), (3, False), (2, True)])
def test_losses_are_those_that_the_scorer_of_scikit_learn_computes(data, clf, classes, weighted):
    X, y = data
    y = y if classes == 2 else np.where(X[:, 0] > 1, 2, y)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weighted else None
    by_workers, by_scorer = (
        CirrusSearchCV(clone(clf), {"C": [0.01, 1.0]}, cv=3, scoring=scoring, refit=False)
        .fit(X, y, sample_weight=weights)
        .cv_results_
        for scoring in ("neg_log_loss", {"score": "neg_log_loss"})
    )
    for split in range(3):
        name = f"split{split}_test_score"
        np.testing.assert_allclose(by_workers[name], by_scorer[name], rtol=1e-6)


def test_everything_a_search_has(data, clf):
    """Class weights, L1, rates, intercepts and solvers differ; metrics, train scores, refit."""
    grid = [
        {"C": [0.02], "class_weight": [None, "balanced", {0: 1, 1: 5}], "tol": [1e-3, None]},
        {"l1_ratio": [1.0], "solver": ["ftrl"], "C": [0.05]},
        {"learning_rate": [0.1, 1.0], "fit_intercept": [False]},
        {"solver": ["lbfgs"]},
        {"early_stopping": [True]},
    ]
    kwargs = {
        "cv": ShuffleSplit(3, train_size=0.6, test_size=0.2, random_state=1),
        "scoring": ["neg_log_loss", "accuracy"],
        "refit": "neg_log_loss",
        "return_train_score": True,
    }
    clf.set_params(max_iter=15)
    weight = np.random.default_rng(0).uniform(0.2, 3.0, 600)
    search = CirrusSearchCV(clf, grid, **kwargs).fit(*data, sample_weight=weight)
    exact = GridSearchCV(clf, grid, **kwargs).fit(*data, sample_weight=weight)
    same_scores(
        search,
        exact,
        ["mean_test_neg_log_loss", "mean_train_neg_log_loss"],
        atol=0.02,
    )
    assert search.multimetric_
    assert set(search.scorer_) == {"neg_log_loss", "accuracy"}
    assert search.best_index_ == search.cv_results_["rank_test_neg_log_loss"].argmin()
    np.testing.assert_array_equal(search.predict(data[0]), search.best_estimator_.predict(data[0]))
    assert (
        len(search.history_) == 3
    )  # one table for ftrl, one without an intercept, one for all else
    assert search.cost_ == 0.0


def test_three_classes_of_strings_in_a_frame(clf):
    X, y = load_iris(return_X_y=True, as_frame=True)
    y = y.map({0: "a", 1: "b", 2: "c"})
    grid = {"C": [0.01, 1.0]}
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    search = CirrusSearchCV(clf, grid, cv=cv, scoring="accuracy").fit(X, y)
    exact = GridSearchCV(LogisticRegression(max_iter=1000), grid, cv=cv).fit(X, y)
    same_scores(search, exact, atol=0.04)
    assert search.feature_names_in_.tolist() == list(X.columns)
    assert search.predict_proba(X).shape == (150, 3)
    assert search.classes_.tolist() == ["a", "b", "c"]
    assert search.score(X, y) > 0.9


def test_sparse_rows_and_groups(clf):
    random = np.random.default_rng(1)
    X = sparse.random(400, 5000, 0.004, "csr", random_state=1)
    X.data[:] = 1.0
    y = (X @ random.normal(size=5000) > 0).astype(int)
    groups = random.integers(0, 10, 400)
    grid = {"C": [0.1, 10.0]}
    kwargs = {"cv": GroupKFold(3), "scoring": "neg_log_loss"}
    clf.set_params(max_iter=10)
    search = CirrusSearchCV(clf, grid, **kwargs).fit(X, y, groups=groups)
    same_scores(search, GridSearchCV(clf, grid, **kwargs).fit(X, y, groups=groups), atol=0.03)


def test_distributions_are_sampled(data, clf):
    grid = {"C": loguniform(1e-3, 1e2), "tol": [1e-3, 1e-2]}
    search = CirrusSearchCV(clf, grid, n_iter=4, random_state=3, cv=3, refit=False).fit(*data)
    again = CirrusSearchCV(clf, grid, n_iter=4, random_state=3, cv=3, refit=False).fit(*data)
    assert len(search.cv_results_["params"]) == 4
    assert search.cv_results_["params"] == again.cv_results_["params"]
    # One worker on one block: the same numbers, bit by bit.
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )
    assert not hasattr(search, "best_estimator_")
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    ten = CirrusSearchCV(clf.set_params(max_iter=2), grid, random_state=0, cv=2).fit(*data)
    assert len(ten.cv_results_["params"]) == 10


def test_refit_by_a_function_of_the_results(data, clf):
    search = CirrusSearchCV(clf, {"C": [1.0, 0.01]}, cv=2, refit=lambda results: 1).fit(*data)
    assert search.best_index_ == 1
    assert search.best_estimator_.C == 0.01


def test_a_search_can_be_cloned_and_pickled(data, clf):
    search = CirrusSearchCV(clf, {"C": [1.0]}, cv=2, callback=print_nothing)
    assert is_classifier(search)
    copy = clone(search)
    assert copy.param_grid == {"C": [1.0]}
    assert copy.get_params()["estimator__max_iter"] == 30
    fitted = copy.fit(*data)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict(data[0]), fitted.predict(data[0]))


def print_nothing(search):
    assert search.leaderboard_


def test_a_fit_that_diverges_does_not_harm_the_others(data, clf, monkeypatch):
    """Rates that make a logistic loss overflow are refused, so its sum is made to in one fit."""
    read = _search_run.read_losses

    def read_one_bad(body):
        losses = read(body).copy()
        losses[0, 1] = np.nan  # the second split of the first candidate
        return losses

    grid = {"C": [1.0, 0.01]}
    expected = CirrusSearchCV(clf, grid, cv=2).fit(*data).cv_results_["mean_test_score"]
    monkeypatch.setattr(_search_run, "read_losses", read_one_bad)
    clf.set_params(max_iter=1)
    with pytest.raises(DivergenceError, match="the loss is not finite"):
        CirrusSearchCV(clf, grid, cv=2, error_score="raise").fit(*data)
    with pytest.warns(FitFailedWarning, match="training diverged in epoch 1"):
        search = CirrusSearchCV(clf, grid, cv=2, error_score=-9.0, refit=False).fit(*data)
    assert search.cv_results_["split1_test_score"][0] == -9.0
    assert search.best_index_ == 1
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(expected[1], abs=0.1)


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_candidate_with_bad_parameters_gets_the_error_score(data, clf):
    grid = {"C": [1.0, -1.0]}
    with pytest.warns(FitFailedWarning, match="C must"):
        search = CirrusSearchCV(clf, grid, cv=2).fit(*data)
    assert search.best_params_ == {"C": 1.0}
    with pytest.raises(ValueError, match="C must"):
        CirrusSearchCV(clf, grid, cv=2, error_score="raise").fit(*data)


def test_a_split_without_a_class_is_fitted_as_scikit_learn_would(clf):
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = CirrusSearchCV(clf, {"C": [1.0]}, cv=KFold(3), scoring="accuracy").fit(X, y)
    exact = GridSearchCV(clf, {"C": [1.0]}, cv=KFold(3), scoring="accuracy")
    exact.fit(X, y)
    same_scores(search, exact)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"estimator": LogisticRegression()}, TypeError, "use GridSearchCV"),
        ({"halving": 1.0}, ValueError, "halving must be"),
        ({"min_epochs": 0}, ValueError, "min_epochs must be"),
        ({"table_bytes": 1.5}, ValueError, "table_bytes must be"),
        ({"n_iter": 0}, ValueError, "n_iter must be"),
        ({"param_grid": {"c": [1.0]}}, ValueError, "Invalid parameter 'c'"),
        ({"cv": 1}, ValueError, "k-fold"),
        ({"callback": 3}, TypeError, "callback must be"),
    ],
)
def test_bad_parameters_are_refused(data, clf, change, error, match):
    parameters = {"estimator": clf, "param_grid": {"C": [1.0]}} | change
    with pytest.raises(error, match=match):
        CirrusSearchCV(**parameters).fit(*data)


def test_a_small_table_takes_a_candidate_when_another_is_done(data, clf):
    grid = {"C": [0.001, 0.01, 0.1, 1.0]}
    wide = CirrusSearchCV(clf, grid, cv=2, refit=False).fit(*data)
    two = 2 * 13 * 2 * 2 * 4  # candidates of 13 rows, two slots, two splits, four bytes
    narrow = CirrusSearchCV(clf, grid, cv=2, refit=False, table_bytes=two).fit(*data)
    same_scores(narrow, wide, atol=2e-3)
    assert len(narrow.history_[0]) > len(wide.history_[0])
    clf.set_params(solver="ftrl")  # whose tables nobody can join
    assert len(CirrusSearchCV(clf, grid, cv=2, table_bytes=3 * two // 4).fit(*data).history_) == 4
