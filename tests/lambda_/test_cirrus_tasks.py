"""Cirrus estimators inside joblib tasks on the emulated Lambda: fitted inline, there.

The function has our packages as the bundle of tasks has them, and no library that it has not.
"""

import os

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_cirrus import CirrusLogisticRegression, CirrusStandardScaler
from sklearn_cirrus.exceptions import TaskError
from sklearn_cirrus.joblib_backend import last_usage, parcels

X, y = make_classification(800, 8, n_informative=6, random_state=0)


def model(**parameters):
    return CirrusLogisticRegression(max_iter=20, tol=None, random_state=0, **parameters)


def test_a_search_over_a_cirrus_estimator_gives_what_it_gives_inline(on_lambda):
    pipeline = make_pipeline(CirrusStandardScaler(), model(backend="lambda"))
    grid = {"cirruslogisticregression__C": [0.001, 1.0, 100.0]}

    def search():
        return GridSearchCV(pipeline, grid, cv=2, refit=False, error_score="raise").fit(X, y)

    with joblib.parallel_config("sequential"):
        pipeline[-1].set_params(backend="inline")
        here = search()
    pipeline[-1].set_params(backend="lambda")  # inside a task it is fitted inline all the same
    there = search()
    for name in ("split0_test_score", "split1_test_score", "rank_test_score"):
        assert there.cv_results_[name].tolist() == here.cv_results_[name].tolist()
    assert len(set(here.cv_results_["mean_test_score"])) > 1
    usage = last_usage()
    assert (usage.tasks, usage.lost) == (6, 0) and usage.cost > 0


def test_estimators_come_back_as_they_were_fitted(on_lambda):
    there = cross_validate(model(), X, y, cv=2, return_estimator=True)
    assert last_usage().tasks == 2
    with joblib.parallel_config("sequential"):
        here = cross_validate(model(), X, y, cv=2, return_estimator=True)
    for far, near in zip(there["estimator"], here["estimator"], strict=True):
        assert isinstance(far, CirrusLogisticRegression)
        np.testing.assert_array_equal(far.coef_, near.coef_)
        # A dot product of NumPy's, which rounds as the BLAS does that suits the processor there.
        np.testing.assert_allclose(far.intercept_, near.intercept_, rtol=1e-14)
        assert far.n_iter_ == near.n_iter_
        np.testing.assert_allclose(far.predict_proba(X), near.predict_proba(X), rtol=1e-14)


def test_what_is_fitted_there_keeps_no_journal(on_lambda):
    look = joblib.delayed(os.getenv)
    assert joblib.Parallel()(look("CIRRUS_JOURNAL") for _ in range(2)) == ["off"] * 2


def test_another_version_of_the_package_is_named_at_once(on_lambda, monkeypatch):
    monkeypatch.setattr(parcels, "__version__", "0.0.9")
    with pytest.raises(TaskError, match=r"the client's sklearn-cirrus is 0\.0\.9 and the worker's"):
        cross_validate(model(), X, y, cv=2, error_score="raise")
    assert last_usage().attempts <= 2
