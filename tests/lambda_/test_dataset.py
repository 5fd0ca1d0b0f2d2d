"""A dataset on the emulated Lambda: loaded, scaled, trained on and predicted by functions."""

import boto3
import numpy as np
import pandas as pd
import pytest

from sklearn_cirrus import (
    CirrusLogisticRegression,
    CirrusStandardScaler,
    Dataset,
    config_context,
)
from sklearn_cirrus.exceptions import CirrusError, ConfigurationError

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
    bucket.delete_object(Bucket=BUCKET, Key="datasets/raw.csv")
    for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]:
        assert item["Key"].startswith("datasets/blocks/")
        bucket.delete_object(Bucket=BUCKET, Key=item["Key"])
    assert_nothing_left(emulator, server)
