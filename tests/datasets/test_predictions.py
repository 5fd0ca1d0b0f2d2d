"""Predictions as datasets: those of the model on arrays are the oracle."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from sklearn_cirrus import CirrusLogisticRegression, Dataset, config_context


@pytest.fixture(scope="module", params=[load_iris, load_breast_cancer], ids=["iris", "cancer"])
def fitted(request):
    X, y = request.param(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = CirrusLogisticRegression(backend="inline", max_iter=5, tol=None, random_state=0)
    return X, y, model.fit(X, y)


@pytest.mark.parametrize("backend", ["inline", "local"])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_they_are_those_of_arrays(fitted, backend, method, tmp_path):
    X, y, model = fitted
    expected = getattr(model, method)(X).reshape(len(X), -1)
    with config_context(backend=backend, block_bytes=4096):
        data = Dataset.from_arrays(X, y, dtype="float64")
        lazily = data.predictions(model, method)
        written = lazily.persist(tmp_path.as_uri())
    names = ["margin"] if expected.shape[1] == 1 else [str(c) for c in model.classes_]
    for found in (lazily, written, Dataset.open(tmp_path.as_uri())):
        scores, labels = found.to_arrays()
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(labels, y)
        assert found.columns == names and found.shape == expected.shape
        assert found.dtypes == dict.fromkeys(names, "float64")


def test_of_some_rows(fitted):
    X, y, model = fitted
    with config_context(backend="inline"):
        data = Dataset.from_arrays(X, y, dtype="float64")[[5, 2, 80]]
        scores, _ = data.predictions(model).to_arrays()
    np.testing.assert_allclose(scores, model.predict_proba(X[[5, 2, 80]]), rtol=1e-9)


def test_what_cannot_be_is_refused(fitted):
    X, y, model = fitted
    with config_context(backend="inline"):
        data = Dataset.from_arrays(X[:, 1:], y)
    with pytest.raises(ValueError, match="method must be one of"):
        data.predictions(model, "predict")
    with pytest.raises(ValueError, match="features"):
        data.predictions(model)
