"""Datasets from and in S3 (moto on the loopback), with workers of each backend of this machine."""

import gzip

import numpy as np
import pytest

from sklearn_cirrus import CirrusLogisticRegression, CirrusStandardScaler, Dataset
from sklearn_cirrus.exceptions import StoreError

from .conftest import BUCKET, assert_same_frame

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:X does not have valid feature names"
)


def keys(bucket, prefix):
    found = bucket.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
    return [item["Key"] for item in found]


@pytest.fixture
def raw(bucket, csv_file):
    """Urls of a file in the bucket, plain and compressed, with keys that no store would give."""
    bucket.put_object(Bucket=BUCKET, Key="raw/my table.csv", Body=csv_file.read_bytes())
    packed = gzip.compress(csv_file.read_bytes())
    bucket.put_object(Bucket=BUCKET, Key="raw/.t.csv.gz", Body=packed)
    return [f"s3://{BUCKET}/raw/my%20table.csv", f"s3://{BUCKET}/raw/.t.csv.gz"]


def test_from_a_bucket_to_a_bucket(workers, bucket, raw, frame):
    url = f"s3://{BUCKET}/sets/{workers}"
    data = Dataset.from_csv(raw[0], label="label", dtype="float64", url=url)
    assert data.url == url and data.n_blocks > 4
    assert_same_frame(data, frame)
    assert_same_frame(Dataset.open(url), frame)
    numbers = Dataset.from_csv(
        raw[1], label="label", types={"text": "skip", "number": "skip"}, url=url, overwrite=True
    )
    assert numbers.shape == (600, 1)
    scaler = CirrusStandardScaler().fit(numbers)
    assert scaler.mean_[0] == pytest.approx(frame["count"].mean(), rel=1e-12)
    scaled = scaler.transform(numbers)
    model = CirrusLogisticRegression(random_state=0, max_iter=5, tol=None).fit(scaled)
    expected = model.predict(scaled.to_arrays()[0])
    np.testing.assert_array_equal(model.predict(scaled), expected)
    written = scaled.persist(f"s3://{BUCKET}/sets/{workers}-scaled")
    np.testing.assert_array_equal(written.to_arrays()[0], scaled.to_arrays()[0])
    kinds = {key.rpartition("/")[2].partition("-")[0] for key in keys(bucket, "sets/")}
    assert kinds == {"block", "labels", "dataset.json"}


def test_what_is_not_there(inline, bucket):
    with pytest.raises(StoreError, match="there is no dataset at s3://raw-data/nothing"):
        Dataset.open(f"s3://{BUCKET}/nothing")
    with pytest.raises(StoreError, match="absent.csv"):
        Dataset.from_csv(f"s3://{BUCKET}/absent.csv")
