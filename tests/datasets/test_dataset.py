"""What a dataset says of itself, its rows and parts, and what is refused."""

import json
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from cirrus_runtime import views
from sklearn_cirrus import (
    CirrusFeatureHasher,
    CirrusLogisticRegression,
    CirrusStandardScaler,
    Dataset,
    config_context,
)
from sklearn_cirrus.exceptions import ConfigurationError, StoreError

from .conftest import manifest_of, objects


def test_what_it_says_of_itself(data):
    assert data.shape == (300, 4) and len(data) == 300 and data.ndim == 2
    assert repr(data) == f"Dataset(300 rows x 4 columns, {data.n_blocks} blocks, 2 classes)"
    assert repr(data[:1]) == "Dataset(1 rows x 4 columns, 1 block, 2 classes)"
    assert data.dtypes == dict.fromkeys(("x0", "x1", "x2", "x3"), "float64")
    assert 0 < data[:10].nbytes < data.nbytes
    scaled = CirrusStandardScaler().fit(data).transform(data)
    assert repr(scaled).endswith("2 classes, affine when read)")


_ROWS = np.random.default_rng(3).integers(-300, 300, 250)


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(10, 200, 7),
        slice(None, None, -1),
        slice(5, 5),
        _ROWS,
        list(range(290, 310 - 10)),
        _ROWS.astype(np.int8) % 100,
        np.arange(300) % 3 == 0,
        np.array([], int),
        [5, 5, 5, 299, 0],
    ],
    ids=str,
)
@pytest.mark.parametrize("of", [np.asarray, sparse.csr_array])
def test_rows(inline, numbers, key, of):
    X, y = numbers
    data = Dataset.from_arrays(of(X), y, dtype="float64")
    part = data[key]
    found, labels = part.to_arrays()
    found = found.toarray() if sparse.issparse(found) else found
    np.testing.assert_array_equal(found, X[key])
    np.testing.assert_array_equal(labels, y[key])
    np.testing.assert_array_equal(part.y, y[key])
    assert part.shape == X[key].shape


def test_rows_of_rows(data, numbers):
    X, y = numbers
    order = np.random.default_rng(0).permutation(300)
    part = data[order][50:150][np.arange(100) % 2 == 0, ...]
    np.testing.assert_array_equal(part.to_arrays()[0], X[order][50:150][::2])
    np.testing.assert_array_equal(part.y, y[order][50:150][::2])


@pytest.mark.parametrize(
    "key, message",
    [
        (3, "not by int64 of shape"),
        ([1.5], "not by float64"),
        ("x0", "not by <U2"),
        ([300], "row 300 of 300"),
        ([-301, 0], "row -301 of 300"),
        (np.ones(299, bool), "a mask of 299 for 300 rows"),
        ((0, 1), "by rows alone"),
        ((slice(None), np.array([0, 1])), "by rows alone"),
        (np.zeros((2, 2), int), "of shape"),
    ],
)
def test_indices_that_are_refused(data, key, message):
    with pytest.raises(IndexError, match=message):
        data[key]


def test_head(data, numbers):
    assert data.head().shape == (5, 4) and list(data.head(2)) == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(data[::-1].head(3), numbers[0][::-1][:3])
    assert len(data.head(0)) == len(data.head(-3)) == 0
    assert sparse.issparse(CirrusFeatureHasher(8).transform(data).head())


def test_head_without_pandas(data, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    assert {name: len(values) for name, values in data.head(2).items()} == {
        "x0": 2, "x1": 2, "x2": 2, "x3": 2,
    }  # fmt: skip


def test_too_much_for_this_process(data):
    with pytest.raises(ValueError, match="more than max_bytes=1000: fit an estimator"):
        data.to_arrays(max_bytes=1000)
    data[:10].to_arrays(max_bytes=1000)


def test_text_is_no_array(inline, frame):
    with pytest.raises(ValueError, match="the columns text hold text.*CirrusFeatureHasher"):
        Dataset.from_arrays(frame[["number", "text"]]).to_arrays()


def test_others_estimators_refuse_it_clearly(data):
    for refused in (
        lambda: LogisticRegression().fit(data, data.y),
        lambda: np.asarray(data),
        lambda: CirrusLogisticRegression(backend="inline").fit(np.eye(3), data),
    ):
        with pytest.raises(TypeError, match="a Dataset is not an array.*to_arrays"):
            refused()


def test_labels_are_asked_for_in_vain(inline):
    data = Dataset.from_arrays(np.eye(3))
    assert data.classes is None and data.to_arrays()[1] is None
    with pytest.raises(ValueError, match="this dataset has no labels"):
        data.y  # noqa: B018


def test_it_is_pickled_without_its_rows(data, numbers):
    part = CirrusStandardScaler().fit(data).transform(data)[10:20]
    copy = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(copy.to_arrays()[0], part.to_arrays()[0])
    assert len(pickle.dumps(part)) < 10_000


# ---- Written anew


@pytest.mark.parametrize("of", [np.asarray, sparse.csr_array])
def test_persist(workers, numbers, of, tmp_path):
    X, y = numbers
    data = Dataset.from_arrays(of(X), y, dtype="float64")
    rows = np.random.default_rng(0).permutation(300)[:150]
    scaled = CirrusStandardScaler(with_mean=False).fit(data).transform(data)
    url = (tmp_path / "to").as_uri()
    written = scaled[rows].persist(url)
    assert written.url == url and not written.steps and written.dtype == "float64"
    expected, labels = scaled[np.sort(rows)].to_arrays()
    for found in (written, Dataset.open(url)):
        values, y_found = found.to_arrays()
        assert abs(values - expected).max() == 0
        np.testing.assert_array_equal(y_found, labels)
    assert manifest_of(tmp_path / "to")["made"] == {"from": data.url, "steps": ["affine"]}


def test_persisted_hashes_know_their_dtype(data):
    hashed = CirrusFeatureHasher(16).transform(data)
    assert hashed.dtype == "float64" and hashed.dtypes == "float64"
    written = hashed.persist()
    assert written.dtypes == "float64" and written.columns is None
    assert (written.to_arrays()[0] != hashed.to_arrays()[0]).nnz == 0


def test_it_is_not_written_over_itself(data):
    for url in (data.url, data.url + "/", data.url + "/inside", data.url.rpartition("/")[0]):
        with pytest.raises(ValueError, match="give url= another place"):
            data.persist(url, overwrite=True)
    assert len(data.to_arrays()[0]) == 300
    with pytest.raises(ValueError, match="there is no row to write"):
        data[:0].persist()


# ---- Places


def test_what_lies_there_is_not_deleted_unasked(data, tmp_path, numbers):
    url = tmp_path.as_uri()
    data.persist(url)
    before = objects(tmp_path)
    for make in (data.persist, lambda url: Dataset.from_arrays(*numbers, url=url)):
        with pytest.raises(StoreError, match="there is a dataset in .*overwrite=True"):
            make(url)
    assert objects(tmp_path) == before
    assert len(data[:9].persist(url, overwrite=True)) == len(Dataset.open(url)) == 9
    assert len(objects(tmp_path)) == 3  # nothing is left of what was there


def test_other_files_are_never_deleted(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="holds other objects, such as 'thesis.tex'"):
            data.persist(tmp_path.as_uri(), overwrite=overwrite)
    assert objects(tmp_path) == ["thesis.tex"]


def test_what_was_broken_off_is_told(data, tmp_path):
    data.persist(tmp_path.as_uri())
    (tmp_path / "dataset.json").unlink()
    with pytest.raises(StoreError, match="it has no dataset.json"):
        Dataset.open(tmp_path.as_uri())
    with pytest.raises(StoreError, match="left of a dataset.*overwrite=True"):
        data.persist(tmp_path.as_uri())
    data.persist(tmp_path.as_uri(), overwrite=True)


def test_opening_makes_no_folder(tmp_path):
    with pytest.raises(StoreError, match="no such folder"):
        Dataset.open((tmp_path / "typo").as_uri())
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text[:-1], "is damaged"),
        (lambda text: "[1]", "is damaged"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version 2.*load the dataset"),
        (lambda text: text.replace('"digest"', '"digits"'), "a block without digest"),
        (lambda text: text.replace('"kind"', '"sort"'), "is damaged.*sort"),
    ],
)
def test_a_damaged_manifest(data, tmp_path, change, message):
    data[:5].persist(tmp_path.as_uri())
    path = tmp_path / "dataset.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(StoreError, match=message):
        Dataset.open(tmp_path.as_uri())


def test_a_block_that_is_not_what_was_written(workers, numbers, tmp_path):
    written = Dataset.from_arrays(*numbers).persist(tmp_path.as_uri())
    path = next(tmp_path.glob("block-*"))
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # one bit of a number
    path.write_bytes(content)
    views._checked.clear()
    for read in (
        written.to_arrays,
        written.persist,
        lambda: CirrusStandardScaler().fit(written),
        lambda: CirrusLogisticRegression().fit(written),
    ):
        with pytest.raises(StoreError, match="is not what was written there"):
            read()


def test_a_block_is_digested_once(data, monkeypatch):
    views._checked.clear()
    digested = []
    digest_of = views.digest_of
    monkeypatch.setattr(views, "digest_of", lambda pieces: digested.append(1) or digest_of(pieces))
    data.to_arrays()
    data.to_arrays()
    assert len(digested) == data.n_blocks


def test_backend_lambda_reaches_no_folder(data):
    settings = {"backend": "lambda", "function": "f", "store_url": "s3://bucket"}
    with config_context(**settings, redis_url="redis://host"):
        for act in (
            lambda: CirrusStandardScaler().fit(data),
            lambda: CirrusLogisticRegression().fit(data),
            lambda: data.persist("s3://bucket/to"),
        ):
            with pytest.raises(ConfigurationError, match="cannot reach file:///.*s3://"):
                act()


def test_private_blocks_go_when_they_cannot_be_made(inline, monkeypatch, tmp_path):
    monkeypatch.setattr("sklearn_cirrus._dataset.place.scratch_folder", lambda: str(tmp_path))
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 2000 + "1\n")
    with pytest.raises(ValueError, match="line 2002"):
        Dataset.from_csv(path)
    assert objects(tmp_path) == ["t.csv"]


def test_what_is_read_of_a_manifest_is_json(data):
    json.dumps(data.view())
