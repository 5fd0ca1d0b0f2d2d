"""A search on the emulated Lambda with the zip that ships: ``sklearn-cirrus bundle --task``.

It has 60 MB, so it is not built here: ``CIRRUS_TEST_TASK_BUNDLE`` names one that was, for this
machine and Python.
"""

import os
from pathlib import Path

import boto3
import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_cirrus import config_context
from sklearn_cirrus.joblib_backend import lambda_place, last_usage

from ..emulator.service import ROLE, RUNTIME
from .conftest import BUCKET, objects

BUNDLE = os.environ.get("CIRRUS_TEST_TASK_BUNDLE")


@pytest.mark.skipif(not BUNDLE, reason="CIRRUS_TEST_TASK_BUNDLE names no zip")
def test_a_search_with_the_zip_that_ships(cloud, monkeypatch):
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
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 10.0]}, cv=3)
    here = search.fit(X, y).cv_results_["mean_test_score"].tolist()
    settings = {"task_function": "shipped", "store_url": f"s3://{BUCKET}/tasks"}
    with config_context(backend="lambda", **settings), joblib.parallel_config("cirrus", n_jobs=2):
        there = search.fit(X, y).cv_results_["mean_test_score"].tolist()
    assert there == here
    assert last_usage().calls == 6 and last_usage().lost == 0
    assert objects() == []
    s3.close()
    functions.delete_function(FunctionName="shipped")
    functions.close()
