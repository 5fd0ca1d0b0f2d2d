"""A search on the emulated Lambda: on arrays, and on a dataset in S3."""

import boto3
import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from cirrus_runtime.store_s3 import S3Store
from sklearn_cirrus import (
    CirrusLogisticRegression,
    CirrusMatrixFactorization,
    Dataset,
    config,
    config_context,
)
from sklearn_cirrus.model_selection import CirrusSearchCV, Ratings, RatingsKFold

from ..faults.conftest import labelled
from .conftest import BUCKET, PARAMETERS, SETTINGS, assert_nothing_left, objects

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"C": [1e-4, 1e-2, 1.0]}


@pytest.fixture
def bucket(emulator):
    """A function that empties the bucket, which is empty in the end."""

    def empty():
        client = boto3.client("s3")
        for name in objects():
            client.delete_object(Bucket=BUCKET, Key=name)
        client.close()

    yield empty
    empty()


def search_on(X, y=None, refit=True):
    """Search over three strengths of the penalty, on three splits."""
    clf = CirrusLogisticRegression(**PARAMETERS | {"max_iter": 12})
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    return CirrusSearchCV(clf, GRID, cv=cv, refit=refit).fit(X, y)


def by_two_workers(search):
    """Return a search that both functions took part in: a cold one may come when all is done."""
    for _ in range(5):
        found = search()
        if max(entry["workers"] for entry in found.history_[0]) == 2:
            return found
    raise AssertionError("one worker has done five searches alone")


def test_results_are_those_of_one_process(emulator, server, bucket):
    X, y = labelled(n_rows=1000)
    with config_context(backend="inline"):
        expected = search_on(X, y)
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 2}
    with config_context(**settings):
        on_arrays = by_two_workers(lambda: search_on(X, y, refit=False))
        assert objects() == []
        url = f"s3://{BUCKET}/datasets/blocks"
        data = Dataset.from_arrays(X, y, url=url)
        on_dataset = by_two_workers(lambda: search_on(data))
        assert data.n_blocks > 2
        np.testing.assert_allclose(
            on_dataset.predict_proba(data), on_dataset.predict_proba(X), rtol=1e-5
        )
    for found in (on_arrays, on_dataset):
        for key in ("split0_test_score", "split2_test_score", "mean_test_score"):
            np.testing.assert_allclose(
                found.cv_results_[key], expected.cv_results_[key], atol=0.01, err_msg=key
            )
        assert found.best_params_ == expected.best_params_
        assert found.cost_ > 0 == expected.cost_
    assert on_dataset.cost_ > on_dataset.best_estimator_.cost_ > 0
    bucket()
    assert_nothing_left(emulator, server)


def test_ratings_have_one_table_there_too(emulator, server, bucket):
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 2)) @ random.normal(size=(2, 30))
    X += 0.5 * random.normal(size=X.shape)
    X[random.random(X.shape) < 0.4] = np.nan
    mf = CirrusMatrixFactorization(batch_size=10, max_iter=20, tol=None, random_state=0)
    search = CirrusSearchCV(
        mf, {"alpha": [0.05, 0.5], "n_components": [1, 2]}, cv=RatingsKFold(2, random_state=0)
    )
    with config_context(backend="inline"):
        expected = clone(search).fit(Ratings(X))
    small = {"redis_url": server.url, "n_workers": 2, "block_bytes": 4096}
    with config_context(**SETTINGS | small):
        found = by_two_workers(lambda: clone(search).fit(Ratings(X)))
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(found.cv_results_[key], expected.cv_results_[key], atol=0.02)
    assert np.ptp(expected.cv_results_["mean_test_score"]) > 0.05
    assert len(found.history_) == 1 and found.cost_ > 0
    assert found.best_estimator_.history_[-1]["workers"] >= 1
    bucket()
    assert_nothing_left(emulator, server)


def test_threads_put_each_row_once(emulator, server, bucket, monkeypatch):
    """Into S3: the rows of all folds and candidates are selections of the same blocks."""
    sizes, put = [], S3Store.put

    def count(store, name, data):
        if name.endswith(".safetensors"):
            sizes.append(sum(memoryview(piece).nbytes for piece in data))
        put(store, name, data)

    monkeypatch.setattr(S3Store, "put", count)
    X, y = labelled(n_rows=2000)
    grid, more = {"C": [0.001, 0.1]}, {"cv": 3, "scoring": "neg_log_loss", "refit": False}
    few = {"redis_url": server.url, "n_workers": 2, "checkpoint_seconds": None}
    clf = CirrusLogisticRegression(**PARAMETERS | {"max_iter": 12})
    monkeypatch.setattr(config, "_process", SETTINGS | few)  # threads do not see config_context
    with joblib.parallel_config("threading", n_jobs=2):
        found = GridSearchCV(clf, grid, error_score="raise", **more).fit(X, y)
    nbytes = 8 * X.size + 8 * len(X)
    assert nbytes <= sum(sizes) <= 1.1 * nbytes
    exact = GridSearchCV(LogisticRegression(), grid, **more).fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (found, exact)]
    np.testing.assert_allclose(*scores, atol=0.02)
    bucket()
    assert_nothing_left(emulator, server)
