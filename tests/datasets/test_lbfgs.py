"""The exact solver on datasets: the coefficients that it finds on the same rows as arrays."""

import os
import signal

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from sklearn_cirrus import (
    CirrusFeatureHasher,
    CirrusLogisticRegression,
    CirrusStandardScaler,
    Dataset,
    config_context,
)
from sklearn_cirrus._dataset import reading, sample
from sklearn_cirrus._full_batch import FullBatchRun
from sklearn_cirrus.exceptions import BlockError
from sklearn_cirrus.servers import shared_server


def train(X, y=None, **parameters):
    parameters = {"solver": "lbfgs", "tol": 1e-9} | parameters
    return CirrusLogisticRegression(**parameters).fit(X, y)


def assert_same(model, other, atol=1e-6):
    assert model.classes_.tolist() == other.classes_.tolist()
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=atol)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=1e-6, atol=atol)


def rows(n_classes, n=700):
    """Rows of uneven columns, one of them constant, and labels 5, 7, ..."""
    rng = np.random.default_rng(0)
    X = rng.normal(2, [1, 30, 1, 0.1, 0], (n, 5))
    X[:, 4] = 3.0
    scores = X[:, :n_classes] / [1, 30, 1][:n_classes] + rng.gumbel(size=(n, n_classes))
    return X, np.argmax(scores, axis=1) * 2 + 5


@pytest.mark.parametrize("of", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_coefficients_of_arrays_and_of_scikit_learn(workers, of, n_classes):
    X, y = rows(n_classes)
    data = Dataset.from_arrays(of(X), y, dtype="float64")
    # An odd row order, rows that are there twice and some that are not there.
    order = np.concatenate([np.random.default_rng(1).permutation(600), np.arange(100)])
    model = train(data[order], C=0.5)
    assert_same(model, train(of(X)[order], y[order], C=0.5, n_workers=1))
    exact = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12)
    assert_same(model, exact.fit(X[order], y[order]))
    first = model.history_[0]
    assert first["rows"] == first["evaluations"] * 700


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_class_weights_and_none(data, numbers, fit_intercept):
    X, y = numbers
    parameters = {"fit_intercept": fit_intercept}
    for class_weight in ("balanced", {0: 1 / 3, 1: 7.0}):
        parameters["class_weight"] = class_weight
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-12, **parameters).fit(X, y)
        assert_same(train(data, **parameters), exact)
    three = Dataset.from_arrays(X, y + (X[:, 1] > 0.5) * (y == 1), dtype="float64")
    weights = {0: 0.0, 1: 1.0, 2: 2.0}
    model, other = (train(*of, class_weight=weights) for of in ([three], three.to_arrays()))
    # Nothing holds the intercept of the class that weighs nothing.
    np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="weights of the rows to train on are all zero"):
        train(data, class_weight={0: 0.0, 1: 0.0})


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_no_penalty(inline, numbers, fit_intercept):
    """Of many optima the smallest, as on arrays."""
    X, y = numbers
    X = np.hstack([X, X[:, :2] @ [[1.0], [2.0]], np.full((300, 1), 2.0)])
    data = Dataset.from_arrays(X, y, dtype="float64")
    model = train(data, C=np.inf, fit_intercept=fit_intercept)
    assert_same(model, train(X, y, C=np.inf, fit_intercept=fit_intercept))


def test_float32_and_scaled_rows(inline, numbers):
    X, y = numbers
    data = Dataset.from_arrays(X * [1, 100, 1, 1e-3] + 50, y)
    assert_same(train(data), train(data.to_arrays()[0], y))
    scaled = CirrusStandardScaler().fit(data).transform(data)
    assert_same(train(scaled), train(scaled.to_arrays()[0], y))


def test_blocks_without_an_entry(inline, numbers):
    X = sparse.vstack([sparse.csr_array((100, 4)), sparse.csr_array(numbers[0])], format="csr")
    y = np.append(np.zeros(100, int), numbers[1])
    data = Dataset.from_arrays(X, y, dtype="float64")
    assert_same(train(data, fit_intercept=False), train(X, y, fit_intercept=False))


@pytest.mark.parametrize("n_features", [2**8, 2**12])
def test_hashed_rows(workers, frame, n_features):
    """Columns that have a covariance, and more that have not."""
    table = frame[["text", "count"]]
    data = Dataset.from_arrays(table, frame["text"].str[:1], dtype="float64")
    hasher = CirrusFeatureHasher(n_features, numbers="buckets")
    model = train(hasher.transform(data), tol=1e-7)
    X = hasher.transform(table)
    assert_same(model, train(X, data.y, tol=1e-7, n_workers=1))
    np.testing.assert_array_equal(model.predict(hasher.transform(data)), model.predict(X))


@pytest.fixture(scope="module")
def problem():
    X, y = rows(3)
    with config_context(backend="inline", block_bytes=3000):
        data = Dataset.from_arrays(X, y, dtype="float64")
        return data, train(data)


@pytest.mark.parametrize("when", [0, 3])
@pytest.mark.parametrize("victim", ["worker", "server"])
def test_what_is_killed_is_replaced(problem, victim, when, monkeypatch):
    """Epoch 0 measures the columns."""
    data, expected = problem
    offer, killed = FullBatchRun._offer, []

    def offer_then_kill(run, *leases):
        offer(run, *leases)
        if run._epoch == when and not killed:
            if victim == "worker":
                killed.append(next(iter(run.crew._handles.values())))
                killed[0].kill()
            else:
                with shared_server().client() as client:
                    killed.append(client.info("server")["process_id"])
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(FullBatchRun, "_offer", offer_then_kill)
    with config_context(backend="local", n_workers=2):
        model = train(data)
    assert killed
    assert_same(model, expected, atol=1e-12)
    name = {"worker": "workers_replaced", "server": "server_restarts"}[victim]
    assert sum(entry[name] for entry in model.history_) >= 1


def test_any_number_of_workers_comes_to_the_same_bits(problem, monkeypatch):
    """And this process reads no block."""
    data, expected = problem
    for module in (reading, sample):
        monkeypatch.setattr(module, "read_view", None)
    for n_workers in (1, 2):
        with config_context(backend="local", n_workers=n_workers):
            model = train(data)
        assert model.coef_.tobytes() == expected.coef_.tobytes()


def test_a_warm_start_and_what_cannot_be(data, frame, tmp_path):
    model = train(data, warm_start=True)
    coef = model.coef_
    assert model.fit(data).n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, coef, atol=1e-9)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(data, sample_weight=np.ones(300))
    with config_context(resume="1" * 16), pytest.raises(ValueError, match="takes no checkpoints"):
        model.fit(data)
    gaps = Dataset.from_arrays(frame[["number"]], frame["label"])
    with pytest.raises(BlockError, match="column 'number' has values that are missing"):
        train(gaps)
