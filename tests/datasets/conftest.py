"""Tables, their files, and the places and workers that datasets are tested on."""

import json

import boto3
import numpy as np
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from sklearn_cirrus import Dataset, config_context
from sklearn_cirrus.workers.local import shared_pool

BUCKET = "raw-data"
_CELLS = ["x", "y,z", 'q"q', '"', "two\nlines", "a\r\nb", "\N{SNOWMAN}", " pad ", ""]


def table(n, seed=0):
    """A table of numbers with gaps, texts of all kinds, and labels."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=n) * 10.0 ** rng.integers(-9, 9, n)
    numbers[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame({
        "number": numbers,
        "text": rng.choice(_CELLS, n),
        "label": rng.choice(["yes", "no", "may, be"], n),
        "count": rng.integers(0, 99, n),
    })  # fmt: skip


@pytest.fixture(scope="session")
def frame():
    return table(600)


@pytest.fixture(scope="session")
def csv_file(frame, tmp_path_factory):
    """The frame as a CSV file."""
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def inline():
    """Settings by which everything happens in this process, in blocks of about 30 rows."""
    with config_context(backend="inline", block_bytes=1024):
        yield


@pytest.fixture(params=["inline", "local"])
def workers(request):
    """Settings of each backend of this machine, with blocks of about 80 rows."""
    n_workers = {"inline": None, "local": 2}[request.param]
    with config_context(backend=request.param, n_workers=n_workers, block_bytes=3000):
        yield request.param


@pytest.fixture(scope="module")
def bucket():
    """A bucket of a mock S3, by its client; boto3 finds it by its variable."""
    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
            client = boto3.client("s3")
            client.create_bucket(Bucket=BUCKET)
            shared_pool().close()  # its workers know another environment
            yield client
            client.close()
        finally:
            shared_pool().close()
            server.stop()


@pytest.fixture
def numbers():
    """An array of numbers, and labels."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4))
    return X, (X[:, 0] + rng.normal(size=300) > 0).astype(int)


@pytest.fixture
def data(inline, numbers):
    """The same as a dataset of several blocks."""
    return Dataset.from_arrays(*numbers, dtype="float64")


def assert_same_frame(data, frame, label="label"):
    """Fail unless a dataset holds a frame, as text and numbers of float64."""
    found = data.head(len(data))
    expected = frame.drop(columns=label) if label else frame
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if data.dtypes[name] == "text":
            assert found[name].fillna("").tolist() == expected[name].fillna("").tolist()
        else:
            np.testing.assert_array_equal(found[name], expected[name])
    if label:
        assert data.y.tolist() == frame[label].tolist()


def objects(folder):
    """The names of all files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def manifest_of(folder):
    """What the manifest in a folder says."""
    return json.loads((folder / "dataset.json").read_text())
