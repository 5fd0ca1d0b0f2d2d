"""scikit-learn's own tools on datasets: splits, searches, pipelines, predictions by folds."""

import numpy as np
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from sklearn_cirrus import CirrusLogisticRegression, CirrusStandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def model():
    # One epoch order for arrays and blocks there is not: so models are near, not the same.
    return CirrusLogisticRegression(random_state=0, max_iter=60)


def test_train_test_split(data, numbers):
    train, test, y_train, y_test = train_test_split(data, data.y, random_state=0, stratify=data.y)
    expected = train_test_split(*numbers, random_state=0, stratify=numbers[1])
    np.testing.assert_array_equal(train.to_arrays()[0], expected[0])
    np.testing.assert_array_equal(test.to_arrays()[0], expected[1])
    np.testing.assert_array_equal(train.y, y_train)
    np.testing.assert_array_equal(test.y, y_test)


@pytest.mark.parametrize("cv", [KFold(3, shuffle=True, random_state=0), StratifiedKFold(3)])
def test_cross_validation(data, numbers, model, cv):
    scores = cross_val_score(model, data, data.y, cv=cv, error_score="raise")
    expected = cross_val_score(model, *numbers, cv=cv)
    np.testing.assert_allclose(scores, expected, atol=0.06)


def test_predictions_by_folds(data, numbers, model):
    found = cross_val_predict(model, data, data.y, cv=3, method="predict_proba")
    expected = cross_val_predict(model, *numbers, cv=3, method="predict_proba")
    assert np.corrcoef(found[:, 1], expected[:, 1])[0, 1] > 0.99


def test_a_search_over_a_pipeline(data, numbers):
    pipe = make_pipeline(
        CirrusStandardScaler(), CirrusLogisticRegression(random_state=0, max_iter=30)
    )
    grid = {"cirruslogisticregression__C": [1e-4, 1.0]}
    search = GridSearchCV(pipe, grid, cv=3, error_score="raise", scoring="neg_log_loss")
    search.fit(data, data.y)
    assert search.best_params_["cirruslogisticregression__C"] == 1.0
    assert search.score(data, data.y) < 0
    best = search.best_estimator_
    np.testing.assert_allclose(best.predict_proba(data), best.predict_proba(numbers[0]), atol=1e-6)
