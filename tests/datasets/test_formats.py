"""The other ways of making a dataset: LIBSVM, Criteo's files, Parquet, arrays."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from sklearn_cirrus import Dataset
from sklearn_cirrus.exceptions import BadRowError

from .conftest import assert_same_frame, table


@pytest.mark.parametrize("zero_based", [False, True])
def test_libsvm(inline, tmp_path, zero_based):
    X = sparse.random(200, 30, 0.2, "csr", random_state=0)
    y = np.random.default_rng(0).choice([-1, 1, 7], 200)
    path = str(tmp_path / "t.svm")
    dump_svmlight_file(X, y, path, zero_based=zero_based, comment="made by hand")
    data = Dataset.from_libsvm(path, zero_based=zero_based, dtype="float64", n_features=31)
    found, labels = data.to_arrays()
    expected, _ = load_svmlight_file(path, n_features=31, zero_based=zero_based)
    assert (found != sparse.csr_array(expected)).nnz == 0 and found.dtype == np.float64
    np.testing.assert_array_equal(labels, y)
    assert data.n_blocks > 5 and data.columns is None and data.dtypes == "float64"


def test_a9a(data_dir, workers):
    expected, y = load_svmlight_file(str(data_dir / "a9a"))
    from sklearn_cirrus import config_context

    with config_context(block_bytes=1 << 18):
        data = Dataset.from_libsvm(data_dir / "a9a")
    assert repr(data).startswith("Dataset(32,561 rows x 123 columns, ")
    X, labels = data.to_arrays()
    assert (X != sparse.csr_array(expected)).nnz == 0 and (labels == y).all()


def test_libsvm_of_another_width(inline, tmp_path):
    path = tmp_path / "t.svm"
    path.write_text("1 1:1 9:1\n0 2:1\n")
    assert Dataset.from_libsvm(path).shape == (2, 9)
    with pytest.raises(Exception, match="9 columns, more than n_features=8"):
        Dataset.from_libsvm(path, n_features=8)
    path.write_text("1 qid:3 1:1\n")
    with pytest.raises(BadRowError, match="line 1: qid is not supported"):
        Dataset.from_libsvm(path)


def test_criteo(inline, tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(100):
        numbers = ["" if rng.random() < 0.3 else str(rng.integers(-2, 99)) for _ in range(13)]
        texts = ["" if rng.random() < 0.2 else f"{rng.integers(16):08x}" for _ in range(26)]
        rows.append([str(i % 2), *numbers, *texts])
    path = tmp_path / "train.txt"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    data = Dataset.from_criteo(path)
    assert data.columns == [f"I{i}" for i in range(1, 14)] + [f"C{i}" for i in range(1, 27)]
    found = data.head(100)
    assert found["C26"].fillna("").tolist() == [row[-1] for row in rows]
    expected = [float(row[1] or "nan") for row in rows]
    np.testing.assert_array_equal(found["I1"], np.array(expected, np.float32))
    assert data.y.tolist() == [0, 1] * 50
    path.write_text("".join("\t".join(row[1:]) + "\n" for row in rows))
    unlabelled = Dataset.from_criteo(path, has_label=False)
    assert unlabelled.classes is None and len(unlabelled) == 100
    with pytest.raises(BadRowError, match="only 39 cells, not 40"):
        Dataset.from_criteo(path)


def test_parquet(inline, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    frame = table(300).assign(flag=lambda f: f["count"] > 50, kind=lambda f: f["text"])
    frame["kind"] = frame["kind"].astype("category")
    for i in range(2):
        frame[i * 150 : (i + 1) * 150].to_parquet(tmp_path / f"{i}.parquet", row_group_size=70)
    data = Dataset.from_parquet(tmp_path / "*.parquet", label="label", dtype="float64")
    assert data.n_blocks > 4
    assert_same_frame(data, frame.assign(kind=frame["text"], flag=frame["flag"].astype(float)))
    with pytest.raises(ValueError, match="no column 'nope'"):
        Dataset.from_parquet(tmp_path / "0.parquet", label="nope")
    with pytest.raises(ValueError, match="distinct values"):
        Dataset.from_parquet(
            pd.DataFrame({"y": np.arange(1001)}).to_parquet(tmp_path / "y.parquet")
            or tmp_path / "y.parquet",
            label="y",
        )
    (tmp_path / "no.parquet").write_text("a,b\n")
    with pytest.raises(ValueError, match="is no Parquet file"):
        Dataset.from_parquet(tmp_path / "no.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        Dataset.from_parquet(tmp_path / "0.parquet")


def test_a_frame(inline, frame):
    data = Dataset.from_arrays(frame.drop(columns="label"), frame["label"], dtype="float64")
    assert_same_frame(data, frame.drop(columns="label"), label=None)
    assert data.y.tolist() == frame["label"].tolist()


def test_a_frame_of_every_dtype(inline):
    frame = pd.DataFrame({
        "whole": pd.array([1, None, 3], "Int64"),
        "flag": pd.array([True, None, False], "boolean"),
        "text": pd.array(["a", None, ""], "string"),
        "kind": pd.Categorical(["u", "v", None]),
        "mixed": [1, "b", np.nan],
    })  # fmt: skip
    found = Dataset.from_arrays(frame).head()
    np.testing.assert_array_equal(found["whole"], np.array([1, np.nan, 3], np.float32))
    np.testing.assert_array_equal(found["flag"], np.array([1, np.nan, 0], np.float32))
    for name, texts in (("text", "a"), ("kind", "uv"), ("mixed", "1b")):
        assert found[name].dropna().tolist() == list(texts)


@pytest.mark.parametrize("of", [np.asarray, sparse.csr_array, sparse.coo_matrix])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays(inline, numbers, of, dtype):
    X, y = numbers
    data = Dataset.from_arrays(of(X), y, dtype=dtype)
    found, labels = data.to_arrays()
    assert data.columns is None and found.dtype == dtype and data.n_blocks > 3
    found = found.toarray() if sparse.issparse(found) else found
    np.testing.assert_array_equal(found, X.astype(dtype))
    np.testing.assert_array_equal(labels, y)


@pytest.mark.parametrize(
    "y", [[True, False, True], ["b", "a", "b"], [7, -3, 7], np.array(["b", "a", "b"], object)]
)
def test_labels_of_arrays(inline, y, tmp_path):
    Dataset.from_arrays(np.eye(3), y, url=tmp_path.as_uri())
    found = Dataset.open(tmp_path.as_uri())
    assert found.y.tolist() == list(y) and found.classes.tolist() == sorted(set(y))


@pytest.mark.parametrize(
    "X, y, message",
    [
        (np.eye(3), [0, 1], "inconsistent numbers of samples"),
        (np.eye(3), [0, 1, np.nan], "y has a missing value in row 2"),
        (np.eye(3), ["a", None, "b"], "y has a missing value in row 1"),
        (np.eye(3), np.array(["a", 1, 2.0], object), "y holds values of several kinds"),
        (np.ones((1001, 1)), np.arange(1001), "y has 1001 distinct values"),
        (np.eye(3), np.array(["2020", "2021", "2020"], "M8[Y]"), "y must hold numbers, texts"),
        (np.array([[np.inf]]), None, "infinity"),
        (sparse.csr_array(np.array([[np.nan]])), None, "not finite"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), None, "must be distinct"),
        (pd.DataFrame({"a": []}), None, "X has no row"),
        (np.empty((0, 2)), None, "0 sample"),
    ],
)
def test_arrays_that_are_refused(inline, tmp_path, X, y, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_arrays(X, y, url=(tmp_path / "to").as_uri())
    assert not list(tmp_path.rglob("block*"))
