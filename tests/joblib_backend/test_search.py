"""scikit-learn's searches and ensembles: the same results as with loky, the data sent once."""

import os
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.joblib_backend import last_usage

X, y = make_classification(4000, 10, n_informative=8, random_state=0)
WEIGHT = np.linspace(0.5, 1.5, len(y))
GRID = {"C": [0.01, 0.1, 1.0, 10.0]}


def pipeline():
    return make_pipeline(StandardScaler(), LogisticRegression())


def search_grid():
    return _table(GridSearchCV(LogisticRegression(), GRID, cv=3).fit(X, y, sample_weight=WEIGHT))


def search_at_random():
    tree = DecisionTreeClassifier(random_state=0)
    space = {"max_depth": [2, 3, 4, 5], "min_samples_leaf": [1, 5, 20]}
    return _table(RandomizedSearchCV(tree, space, n_iter=5, cv=3, random_state=0).fit(X, y))


def search_by_halving():
    space = {"max_depth": [2, 3, 5, 8]}
    tree = DecisionTreeClassifier(random_state=0)
    return _table(HalvingGridSearchCV(tree, space, cv=3, random_state=0).fit(X, y))


def _table(search):
    return {
        name: values
        for name, values in search.cv_results_.items()
        if "score" in name and "time" not in name
    }


def validate():
    return {"test_score": cross_validate(pipeline(), X, y, cv=4)["test_score"]}


def predict():
    return {"proba": cross_val_predict(pipeline(), X, y, cv=4, method="predict_proba")}


def bag():
    model = BaggingClassifier(DecisionTreeClassifier(max_depth=4), 6, random_state=0)
    return {"proba": model.fit(X, y).predict_proba(X)}


def grow():
    model = RandomForestClassifier(8, max_depth=5, random_state=0)
    return {"proba": model.fit(X, y).predict_proba(X)}


@pytest.mark.parametrize(
    "act",
    [search_grid, search_at_random, search_by_halving, validate, predict, bag, grow],
    ids=lambda act: act.__name__,
)
def test_results_are_those_of_loky(act):
    found = {}
    for backend in ("loky", "cirrus"):
        with joblib.parallel_config(backend, n_jobs=2):
            found[backend] = act()
    assert found["loky"].keys() == found["cirrus"].keys()
    for name, values in found["loky"].items():
        # A forest's trees are summed up by threads, in whatever order.
        np.testing.assert_allclose(found["cirrus"][name], values, rtol=1e-13, err_msg=name)


def test_a_search_sends_its_data_once(cirrus, puts):
    search_grid()
    buffers = [(name, nbytes) for name, nbytes in puts if name.startswith("buffer-")]
    assert len({name for name, _ in buffers}) == len(buffers)
    folds = 3 * len(y) * 8  # the indices of all training and test sets
    assert sum(nbytes for _, nbytes in buffers) <= X.nbytes + y.nbytes + WEIGHT.nbytes + folds
    assert last_usage().tasks == 12
    assert last_usage().call_bytes < 12 * 20_000  # the test sets among it: less than 16 KiB each


class Fragile(ClassifierMixin, BaseEstimator):
    """Fails in some fits, and tells of itself."""

    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.pid_ = os.getpid()
        if self.number == 1:
            raise ValueError("this number will not do")
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_a_fit_that_fails_is_a_nan(cirrus):
    search = GridSearchCV(Fragile(), {"number": [0, 1, 2]}, cv=2, refit=False)
    with pytest.warns(FitFailedWarning, match="this number will not do"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("default", FitFailedWarning)
            search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, False]


def test_a_fit_that_raises_ends_the_search(cirrus):
    search = GridSearchCV(Fragile(), {"number": [0, 1, 2]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="this number will not do") as raised:
        search.fit(X, y)
    assert "in fit" in str(raised.value.__cause__)


class Odd(UserWarning):
    """A warning that no worker knows, as it cannot import this module."""


def test_a_filter_for_a_warning_that_workers_lack(cirrus):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=Odd)
        Odd.__module__ = "a_module_that_is_nowhere"
        try:
            search_grid()
        finally:
            Odd.__module__ = __name__


def test_verbose_searches_print_here(cirrus, capsys):
    GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2, verbose=2).fit(X, y)
    assert capsys.readouterr().out.count("[CV] END") == 4


def fit_a_cirrus_estimator(backend):
    import multiprocessing
    import threading

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = CirrusLogisticRegression(
            backend=backend, n_workers=2, max_iter=3, random_state=0
        ).fit(X, y)
    names = {thread.name for thread in threading.enumerate()}
    assert "cirrus-worker-pool" not in names, names
    assert not multiprocessing.active_children()
    return model.coef_


@pytest.mark.parametrize("backend", [None, "local", "lambda"])
def test_a_cirrus_estimator_is_fitted_by_its_worker_alone(cirrus, backend):
    found = joblib.Parallel()(joblib.delayed(fit_a_cirrus_estimator)(backend) for _ in range(2))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_over_a_cirrus_estimator(cirrus):
    model = CirrusLogisticRegression(max_iter=5, random_state=0, backend="inline")
    search = GridSearchCV(model, {"C": [0.001, 1.0]}, cv=2).fit(X, y)
    with joblib.parallel_config("sequential"):
        alone = GridSearchCV(model, {"C": [0.001, 1.0]}, cv=2).fit(X, y)
    for name, values in _table(alone).items():
        np.testing.assert_array_equal(search.cv_results_[name], values)
