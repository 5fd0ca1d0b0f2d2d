"""A search on the emulated Lambda: on arrays, and on a dataset in S3."""

import boto3
import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from sklearn_cirrus import CirrusLogisticRegression, Dataset, config_context
from sklearn_cirrus.model_selection import CirrusSearchCV

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


def test_results_are_those_of_one_process(emulator, server, bucket):
    X, y = labelled(n_rows=1000)
    with config_context(backend="inline"):
        expected = search_on(X, y)
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 2}
    with config_context(**settings):
        on_arrays = search_on(X, y, refit=False)
        assert objects() == []
        url = f"s3://{BUCKET}/datasets/blocks"
        data = Dataset.from_arrays(X, y, url=url)
        on_dataset = search_on(data)
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
        assert max(entry["workers"] for entry in found.history_[0]) > 1
        assert found.cost_ > 0 == expected.cost_
    assert on_dataset.cost_ > on_dataset.best_estimator_.cost_ > 0
    bucket()
    assert_nothing_left(emulator, server)
