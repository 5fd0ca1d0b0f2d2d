"""Logistic regression on datasets: the optimum of scikit-learn's, whatever the blocks."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sklearn_cirrus import (
    CirrusFeatureHasher,
    CirrusLogisticRegression,
    CirrusStandardScaler,
    Dataset,
    _convergence,
    _trainer,
    config_context,
)

from .conftest import objects

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def objective(model, X, y, C=1.0):
    """Objective of a binary model with L2 penalty per row."""
    margins = X @ model.coef_[0] + model.intercept_[0]
    signs = np.where(y == model.classes_[1], 1, -1)
    loss = np.logaddexp(0, -signs * margins).sum()
    return (C * loss + 0.5 * (model.coef_**2).sum()) / len(y)


def test_the_optimum_of_a9a(data_dir):
    with config_context(block_bytes=1 << 18, n_workers=2):
        data = Dataset.from_libsvm(data_dir / "a9a")
        model = CirrusLogisticRegression(random_state=0).fit(data)
        proba = model.predict_proba(data)
    X, y = data.to_arrays()
    exact = LogisticRegression(max_iter=1000).fit(X, y)
    assert objective(model, X, y) < objective(exact, X, y) * 1.002
    assert model.history_[-1]["rows"] == 32561 and model.history_[-1]["workers"] == 2
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-9)
    assert log_loss(y, proba) == pytest.approx(log_loss(y, exact.predict_proba(X)), rel=2e-3)


@pytest.mark.parametrize("of", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_as_arrays_are_fitted(workers, of, n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(2, [1, 3, 1, 0.1], (800, 4))
    y = np.argmax(X[:, :n_classes] + rng.gumbel(size=(800, n_classes)), axis=1) * 2 + 5
    data = Dataset.from_arrays(of(X), y, dtype="float64")
    assert data.n_blocks > 5
    # An odd row order and rows that are there twice.
    order = np.concatenate([rng.permutation(800), np.arange(100)])
    model = CirrusLogisticRegression(random_state=0, max_iter=200).fit(data[order])
    exact = LogisticRegression(max_iter=1000).fit(X[order], y[order])
    assert model.classes_.tolist() == exact.classes_.tolist()
    loss = log_loss(y[order], model.predict_proba(data[order]))
    assert loss == pytest.approx(log_loss(y[order], exact.predict_proba(X[order])), abs=4e-3)
    expected = model.decision_function(X[order])
    np.testing.assert_allclose(model.decision_function(data[order]), expected, rtol=1e-9)
    assert model.score(data[order]) == model.score(X[order], y[order])


def test_class_weights(data, numbers):
    X, y = numbers
    for class_weight in ("balanced", {0: 5.0, 1: 1.0}):
        parameters = {"class_weight": class_weight, "max_iter": 300}
        part = data[40:]
        model = CirrusLogisticRegression(random_state=0, **parameters).fit(part)
        exact = LogisticRegression(**parameters).fit(X[40:], y[40:])
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=0.06)
        np.testing.assert_allclose(model.intercept_, exact.intercept_, atol=0.06)


def test_early_stopping_holds_rows_out(data):
    model = CirrusLogisticRegression(random_state=0, early_stopping=True, max_iter=20).fit(data)
    assert model.history_[0]["rows"] == 270 and model.history_[0]["valid_loss"] > 0


def test_partial_fit(data, numbers):
    X, y = numbers
    model = CirrusLogisticRegression(random_state=0, backend="inline")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(data)
    zeros = data[y == 0]
    for _ in range(6):
        model.partial_fit(zeros, classes=[0, 1])
        model.partial_fit(data, data.y)
    model.partial_fit(X, y)  # arrays go on from it
    assert model.score(data) > 0.6 and model.coef_.shape == (1, 4)
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(data, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="X has 3 features, but .* expecting 4"):
        model.partial_fit(Dataset.from_arrays(X[:, :3], y))
    with pytest.raises(ValueError, match="classes that partial_fit was not told of"):
        model.partial_fit(Dataset.from_arrays(X, y + 1))


def test_a_warm_start_goes_on(data, numbers):
    model = CirrusLogisticRegression(random_state=0, max_iter=20, warm_start=True, tol=None)
    first = model.fit(data).history_
    again = model.fit(data).history_
    assert again[0]["objective"] < first[0]["objective"]
    with pytest.raises(ValueError, match="warm_start=True needs the classes"):
        model.fit(Dataset.from_arrays(numbers[0][:, :2], numbers[1]))


def test_a_fit_is_resumed(data, tmp_path, monkeypatch):
    """The checkpoint of a fit on one dataset is no other's."""
    entry, runs = _trainer.Run._entry, []

    def fail(run, epoch, *args):
        if epoch == 20 and not runs:
            runs.append(run.keys.run_id)
            raise KeyboardInterrupt
        return entry(run, epoch, *args)

    monkeypatch.setattr(_trainer.Run, "_entry", fail)
    settings = {
        "backend": "local", "n_workers": 1, "checkpoint_seconds": 0.01, "keep_checkpoint": True,
        "store_url": tmp_path.as_uri(),
    }  # fmt: skip
    model = CirrusLogisticRegression(random_state=0, tol=None, learning_rate=0.1, max_iter=30)
    with config_context(**settings), pytest.raises(KeyboardInterrupt):
        model.fit(data)
    with config_context(**settings, resume=runs[0]):
        for other in (data[10:], CirrusStandardScaler().fit(data).transform(data)):
            with pytest.raises(ValueError, match="the data: X, y or sample_weight"):
                model.fit(other)
        history = model.fit(data).history_
    assert [entry["epoch"] for entry in history] == list(range(1, 31))
    assert not objects(tmp_path)


def test_the_end_is_looked_at_if_the_sample_is_all_there_is(data, monkeypatch):
    looked, objective_of = [], _convergence.Objective
    monkeypatch.setattr(
        _convergence, "Objective", lambda X, *args: looked.append(len(X)) or objective_of(X, *args)
    )
    model = CirrusLogisticRegression(max_iter=30, random_state=0)
    with config_context(block_bytes=1 << 14):
        few = Dataset.from_arrays(*data.to_arrays())
    model.fit(few)
    assert looked == [300]
    model.fit(few[::-1])  # labels are in another order than the sample's rows
    model.fit(data)
    assert data.n_blocks > 4 and looked == [300]


@pytest.mark.parametrize(
    "fit, message",
    [
        (lambda d, X, y: CirrusLogisticRegression().fit(d, 1 - y), "y is not the labels"),
        (lambda d, X, y: CirrusLogisticRegression().fit(d, sample_weight=y), "sample_weight"),
        (lambda d, X, y: CirrusLogisticRegression().fit(d[:0]), "0 sample"),
        (lambda d, X, y: CirrusLogisticRegression().fit(d[y == 1]), "at least 2 classes"),
        (lambda d, X, y: CirrusLogisticRegression().fit(Dataset.from_arrays(X)), "no labels"),
        (
            lambda d, X, y: CirrusLogisticRegression(max_iter=2).fit(d).predict(
                Dataset.from_arrays(X[:, 1:])
            ),
            "X has 3 features, but CirrusLogisticRegression is expecting 4",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(data, numbers, fit, message):
    with pytest.raises(ValueError, match=message):
        fit(data, *numbers)


def test_columns_with_other_names_and_columns_with_gaps_or_text(inline, frame):
    named = frame[["count", "number"]].fillna(0)
    data = Dataset.from_arrays(named, frame["label"])
    model = CirrusLogisticRegression(max_iter=2, tol=None).fit(data)
    assert model.feature_names_in_.tolist() == ["count", "number"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(Dataset.from_arrays(named[["number", "count"]]))
    with pytest.raises(ValueError, match="column 'number' has values that are missing"):
        CirrusLogisticRegression().fit(Dataset.from_arrays(frame[["number"]], frame["label"]))
    with pytest.raises(Exception, match="column 'text' holds text.*CirrusFeatureHasher"):
        CirrusLogisticRegression().fit(Dataset.from_arrays(frame[["text"]], frame["label"]))


def test_hashed_rows(workers, frame):
    data = Dataset.from_arrays(frame[["text", "count"]], frame["text"].str[:1], dtype="float64")
    hashed = CirrusFeatureHasher(2**10, numbers="buckets").transform(data)
    model = CirrusLogisticRegression(random_state=0, max_iter=30, tol=None).fit(hashed)
    assert model.score(hashed) > 0.95
    rows = CirrusFeatureHasher(2**10, numbers="buckets").transform(frame[["text", "count"]])
    np.testing.assert_array_equal(model.predict(hashed), model.predict(rows))
