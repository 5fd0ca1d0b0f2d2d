"""Pickle, clone, pipelines, searches, metadata routing: the estimator is one of scikit-learn's."""

import io
import os
import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus import CirrusLogisticRegression, config_context

from ..bare_client import check_bare

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def new(**parameters):
    """Return an estimator that is deterministic."""
    return CirrusLogisticRegression(**{"backend": "inline", "random_state": 0} | parameters)


@pytest.mark.parametrize("backend", ["inline", "local"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_pickle_predicts_where_there_is_no_redis_client(noisy, backend, method, tmp_path):
    X, y = noisy
    model = new(backend=backend, max_iter=5)
    getattr(model, method)(*((X, y) if method == "fit" else (X, y, [0, 1])))
    checks = """
assert np.array_equal(model.predict(X), expected)
assert np.allclose(model.predict_proba(X).sum(axis=1), 1)
"""
    check_bare(tmp_path / "model.pickle", model, X, model.predict(X), checks)


class Inspector(pickle._Pickler):
    """A pickler that notes the module of every class and function it meets."""

    def __init__(self, file):
        super().__init__(file, protocol=5)
        self.modules = set()

    def save_global(self, obj, name=None):
        self.modules.add(obj.__module__.partition(".")[0])
        return super().save_global(obj, name)

    dispatch = pickle._Pickler.dispatch | {type: save_global}


@pytest.mark.parametrize("backend", ["inline", "local"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_pickle_holds_arrays_and_plain_values(noisy, backend, method):
    X, y = noisy
    model = new(backend=backend, max_iter=3)
    getattr(model, method)(*((X, y) if method == "fit" else (X, y, [0, 1])))
    inspector = Inspector(io.BytesIO())
    inspector.dump(model)
    assert inspector.modules <= {"sklearn_cirrus", "numpy", "builtins", "copyreg"}
    text = pickle.dumps(model)
    for word in (b"redis", b"socket", b"unix://", b"file://", b"thread", b"Lock"):
        assert word not in text
    # A model of 5 columns does not hold its 2000 rows.
    assert len(text) < 40 * model.n_iter_ * 12 + 4000


def test_a_second_pickle_is_the_first(noisy):
    model = new(max_iter=3).fit(*noisy)
    once = pickle.loads(pickle.dumps(model))
    assert np.array_equal(once.coef_, model.coef_)
    assert once.history_ == model.history_
    assert pickle.dumps(pickle.loads(pickle.dumps(once))) == pickle.dumps(once)


def test_clone_keeps_parameters_and_drops_the_fit(noisy):
    model = new(C=0.3, solver="ftrl", l1_ratio=0.2, max_iter=3).fit(*noisy)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert set(vars(copy)) == set(copy.get_params())
    with pytest.raises(NotFittedError):
        copy.predict(noisy[0])


def test_repr_shows_what_was_changed_and_no_secret():
    assert repr(new(C=2)) == ("CirrusLogisticRegression(C=2, backend='inline', random_state=0)")
    with config_context(redis_url="redis://:s3cret@host"):
        assert "s3cret" not in CirrusLogisticRegression()._repr_html_()


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_pipeline(raw_cancer, backend):
    X, y = raw_cancer
    ours = make_pipeline(StandardScaler(), new(backend=backend)).fit(X, y)
    theirs = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.99
    assert np.allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=0.1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(raw_cancer, n_jobs):
    X, y = raw_cancer
    grid = {"cirruslogisticregression__C": [1e-4, 1.0], "cirruslogisticregression__tol": [1e-3]}
    search = GridSearchCV(make_pipeline(StandardScaler(), new()), grid, cv=3, n_jobs=n_jobs)
    search.fit(X, y)
    assert search.best_params_["cirruslogisticregression__C"] == 1.0
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [1e-4, 1.0]},
        cv=3,
    ).fit(X, y)
    scores = (s.cv_results_["mean_test_score"] for s in (search, theirs))
    assert np.allclose(next(scores), next(scores), atol=0.02)


def test_cross_validation_on_workers(cancer):
    X, y = cancer
    ours = cross_val_score(new(backend="local"), X, y, cv=3)
    theirs = cross_val_score(LogisticRegression(), X, y, cv=3)
    assert np.allclose(ours, theirs, atol=0.011)  # two of the 190 rows of a fold


def test_metadata_routing(cancer):
    X, y = cancer
    weights = np.where(y == 1, 30.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = new(max_iter=20).set_fit_request(sample_weight=True)
        assert model.get_metadata_routing().fit.requests == {"sample_weight": True}
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, y, sample_weight=weights)
        ignored = make_pipeline(scaler, new().set_fit_request(sample_weight=False))
        partial = new().set_partial_fit_request(sample_weight=True, classes=True)
        assert partial.get_metadata_routing().partial_fit.requests["classes"] is True
        with pytest.raises(TypeError, match="sample_weight"):
            ignored.fit(X, y, sample_weight=weights)
    direct = new(max_iter=20).fit(StandardScaler().fit_transform(X), y, weights)
    assert np.allclose(pipeline[-1].coef_, direct.coef_, atol=1e-5)


def test_random_state_instance_and_none(noisy):
    X, y = noisy
    state = np.random.RandomState(0)
    first = new(random_state=state, max_iter=3).fit(X, y)
    second = new(random_state=state, max_iter=3).fit(X, y)
    assert not np.array_equal(first.coef_, second.coef_)  # the generator has moved on
    again = new(random_state=np.random.RandomState(0), max_iter=3).fit(X, y)
    assert np.array_equal(first.coef_, again.coef_)
    np.random.seed(5)
    a = new(random_state=None, max_iter=3).fit(X, y)
    b = new(random_state=None, max_iter=3).fit(X, y)
    np.random.seed(5)
    c = new(random_state=None, max_iter=3).fit(X, y)
    assert np.array_equal(a.coef_, c.coef_) and not np.array_equal(a.coef_, b.coef_)


def test_a_fit_leaves_the_global_state_alone(noisy):
    before = np.random.get_state()[1].copy(), os.environ.copy(), sklearn.get_config()
    new(max_iter=2).fit(*noisy)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert dict(os.environ) == before[1] and sklearn.get_config() == before[2]
