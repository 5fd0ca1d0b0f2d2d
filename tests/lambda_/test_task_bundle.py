"""A search on the emulated Lambda with the zip that ships: ``sklearn-cirrus bundle --task``.

It has 60 MB, so it is not built here: ``CIRRUS_TEST_TASK_BUNDLE`` names one that was, for this
machine and Python.
"""

import os
from pathlib import Path

import boto3
import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.joblib_backend import lambda_place, last_usage

from ..emulator.service import ROLE, RUNTIME
from .bucket import BUCKET, objects

BUNDLE = os.environ.get("CIRRUS_TEST_TASK_BUNDLE")


@pytest.fixture
def shipped(cloud, monkeypatch):
    """Backend "cirrus" on a function of the zip that ships; what is fitted here is so inline."""
    if not BUNDLE:
        pytest.skip("CIRRUS_TEST_TASK_BUNDLE names no zip")
    monkeypatch.setattr(lambda_place, "_limits", {})
    s3, functions = boto3.client("s3"), boto3.client("lambda")
    s3.put_object(Bucket=BUCKET, Key="code/task.zip", Body=Path(BUNDLE).read_bytes())
    functions.create_function(
        FunctionName="shipped",
        Runtime=RUNTIME,
        Role=ROLE,
        Handler="cirrus_runtime.task.handle",
        Code={"S3Bucket": BUCKET, "S3Key": "code/task.zip"},
        MemorySize=1024,
        Timeout=120,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="shipped")
    s3.delete_object(Bucket=BUCKET, Key="code/task.zip")
    settings = {"task_function": "shipped", "store_url": f"s3://{BUCKET}/tasks"}
    with (
        config_context(backend="inline", **settings),
        joblib.parallel_config("cirrus", where="lambda", n_jobs=2),
    ):
        yield
    assert objects() == []
    s3.close()
    functions.delete_function(FunctionName="shipped")
    functions.close()


@pytest.mark.parametrize("kind", [LogisticRegression, CirrusLogisticRegression])
def test_a_search_with_the_zip_that_ships(shipped, kind):
    X, y = load_iris(return_X_y=True)
    model = kind(
        max_iter=500, tol=1e-3, **{} if kind is LogisticRegression else {"random_state": 0}
    )
    search = GridSearchCV(model, {"C": [0.1, 10.0]}, cv=3, error_score="raise")
    there = search.fit(X, y).cv_results_["mean_test_score"].tolist()
    assert last_usage().tasks == 6 and last_usage().lost == 0
    with joblib.parallel_config("sequential"):
        assert search.fit(X, y).cv_results_["mean_test_score"].tolist() == there
    far = cross_validate(model, X, y, cv=2, return_estimator=True)["estimator"]
    with joblib.parallel_config("sequential"):
        near = cross_validate(model, X, y, cv=2, return_estimator=True)["estimator"]
    for one, other in zip(far, near, strict=True):
        np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-12)
