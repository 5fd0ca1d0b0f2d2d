"""A dataset on the emulated Lambda: loaded, scaled, trained on and predicted by functions."""

import boto3
import numpy as np
import pandas as pd
import pytest

from sklearn_cirrus import (
    CirrusLogisticRegression,
    CirrusMatrixFactorization,
    CirrusStandardScaler,
    Dataset,
    config_context,
)
from sklearn_cirrus.exceptions import CirrusError, ConfigurationError

from ..decomposition.planted import planted
from ..faults.conftest import labelled
from .conftest import BUCKET, PARAMETERS, SETTINGS, assert_nothing_left

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:X does not have valid feature names"
)


@pytest.fixture
def bucket(emulator):
    """The bucket, emptied in the end."""
    client = boto3.client("s3")
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.close()


def test_from_a_file_to_predictions(emulator, server, bucket):
    X, y = labelled(n_rows=2000)
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(20)]).assign(label=y)
    bucket.put_object(Bucket=BUCKET, Key="datasets/raw.csv", Body=frame.to_csv(index=False))
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 3, "block_bytes": 100_000}
    source, url = f"s3://{BUCKET}/datasets/raw.csv", f"s3://{BUCKET}/datasets/blocks"
    with config_context(**settings):
        with pytest.raises(ConfigurationError, match="say where the blocks go"):
            Dataset.from_csv(source)
        with pytest.raises(CirrusError, match="max_cost=1e-09 is spent, with . of . blocks done"):
            with config_context(max_cost=1e-9):
                Dataset.from_csv(source, label="label", url=url, quote=None)
        data = Dataset.from_csv(source, label="label", url=url, quote=None)
        assert data.n_blocks > 2 and data.cost > 0
        np.testing.assert_array_equal(data.to_arrays()[0], X)
        np.testing.assert_array_equal(data.y, y)
        scaler = CirrusStandardScaler().fit(data)
        np.testing.assert_allclose(scaler.mean_, X.mean(axis=0, dtype=float), rtol=1e-6, atol=1e-9)
        scaled = scaler.transform(data)
        model = CirrusLogisticRegression(**PARAMETERS | {"max_iter": 3}).fit(scaled)
        assert model.cost_ > 0 and model.history_[-1]["rows"] == 2000
        expected = model.decision_function(scaled.to_arrays()[0])
        np.testing.assert_allclose(model.decision_function(scaled), expected, rtol=1e-5)
        exact = CirrusLogisticRegression(solver="lbfgs", tol=1e-8).fit(scaled)
        alone = CirrusLogisticRegression(solver="lbfgs", tol=1e-8, backend="inline", n_workers=1)
        alone.fit(scaled.to_arrays()[0], y)
        np.testing.assert_allclose(exact.coef_, alone.coef_, rtol=1e-6, atol=1e-6)
        assert exact.cost_ > 0
    bucket.delete_object(Bucket=BUCKET, Key="datasets/raw.csv")
    for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]:
        assert item["Key"].startswith("datasets/blocks/")
        bucket.delete_object(Bucket=BUCKET, Key=item["Key"])
    assert_nothing_left(emulator, server)


def test_ratings(emulator, server, bucket):
    """What the shuffle of a table leaves behind under runs/ is nothing."""
    X = planted(300, 60)
    table = np.column_stack([*X.tocoo().coords, X.data])
    settings = SETTINGS | {"redis_url": server.url, "n_workers": 2, "block_bytes": 8000}
    with config_context(**settings):
        data = Dataset.from_arrays(table, url=f"s3://{BUCKET}/datasets/ratings")
        model = CirrusMatrixFactorization(3, solver="als", max_iter=3, random_state=0).fit(data)
        predicted = model.predict_ratings(data[:50])
        assert model.cost_ > 0
        with config_context(backend="inline", n_workers=1):
            alone = CirrusMatrixFactorization(3, solver="als", max_iter=3, random_state=0).fit(X)
    np.testing.assert_allclose(model.components_, alone.components_, rtol=1e-3, atol=1e-3)
    expected = model.predict_ratings(*table[:50, :2].T.astype(int))
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)
    for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]:
        assert item["Key"].startswith("datasets/ratings/")
        bucket.delete_object(Bucket=BUCKET, Key=item["Key"])
    assert_nothing_left(emulator, server)
