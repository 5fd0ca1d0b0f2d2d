"""CSV and TSV files as datasets: the same rows as pandas reads, whatever is in the cells."""

import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_cirrus import Dataset, config_context
from sklearn_cirrus.exceptions import BadRowError, StoreError

from .conftest import assert_same_frame, table


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_rows_of_quoted_csv(csv_file, frame, workers):
    data = Dataset.from_csv(csv_file, label="label", dtype="float64")
    assert data.n_blocks > 4 and data.shape == (600, 3) and data.cost == 0.0
    assert data.dtypes == {"number": "float64", "text": "text", "count": "float64"}
    assert data.classes.tolist() == ["may, be", "no", "yes"]
    assert_same_frame(data, frame)


def test_compressed_and_plain_files_together(csv_file, frame, inline, tmp_path):
    packed = write(tmp_path / "more.csv.gz", gzip.compress(csv_file.read_bytes()))
    data = Dataset.from_csv([packed, csv_file], label="label", dtype="float64")
    assert_same_frame(data, pd.concat([frame, frame], ignore_index=True))
    assert 1 < data[:600].n_blocks  # a file of one range becomes several blocks


def test_zstandard(csv_file, frame, inline, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    packed = write(tmp_path / "t.csv.zst", zstandard.compress(csv_file.read_bytes()))
    assert_same_frame(Dataset.from_csv(packed, label="label", dtype="float64"), frame)
    write(packed, packed.read_bytes()[:-40])
    with pytest.raises(StoreError, match="t.csv.zst is damaged"):
        Dataset.from_csv(packed)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the standard library reads it")
def test_zstandard_without_its_package(inline, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    packed = write(tmp_path / "t.csv.zst", b"\x28\xb5\x2f\xfd")
    with pytest.raises(StoreError, match="install the package zstandard"):
        Dataset.from_csv(packed)


def test_files_by_a_pattern_in_the_order_of_their_names(inline, tmp_path):
    for name, first in (("b", 2), ("a", 0), ("c", 4)):
        write(tmp_path / f"{name}.csv", f"x\n{first}\n{first + 1}\n")
    write(tmp_path / "d.csv", "")  # no header, no rows
    data = Dataset.from_csv(tmp_path / "*.csv")
    assert data.to_arrays()[0].ravel().tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="no file to load"):
        Dataset.from_csv(tmp_path / "*.tsv")


def test_tab_separated_without_a_header(inline, tmp_path):
    path = write(tmp_path / "t.tsv", '\ufeff1\t"a\tx\n2\tb"\tx\n')
    data = Dataset.from_csv(path, header=False, names=["n", "t", "c"], delimiter="\t", quote=None)
    assert data.head().to_dict("list") == {"n": [1.0, 2.0], "t": ['"a', 'b"'], "c": ["x", "x"]}


def test_a_byte_order_mark_is_no_part_of_the_first_name(inline, tmp_path):
    path = write(tmp_path / "t.csv", '\ufeff"n",t\r\n1,a\r\n')
    assert Dataset.from_csv(path).columns == ["n", "t"]


def test_types_are_found_out_or_said(inline, tmp_path):
    path = write(tmp_path / "t.csv", "n,code,rest,gap\n1,007,a,\n2.5e3,008,b,NA\n")
    data = Dataset.from_csv(path, types={"code": "text", "rest": "skip"})
    assert data.dtypes == {"n": "float32", "code": "text", "gap": "float32"}
    assert data.head().iloc[0].tolist()[:2] == [1.0, "007"]
    assert Dataset.from_csv(path).dtypes["code"] == "float32"


def test_many_columns_are_found_out_quickly(inline, tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 3000))
    path = tmp_path / "wide.csv"
    frame = pd.DataFrame(rows, columns=[f"c{i}" for i in range(3000)])
    frame["c7"] = frame["c2999"] = "text"
    frame.to_csv(path, index=False)
    with config_context(block_bytes=1 << 20):
        found = Dataset.from_csv(path).dtypes
    assert [name for name, kind in found.items() if kind == "text"] == ["c7", "c2999"]


@pytest.mark.parametrize(
    "labels, classes",
    [
        (["b", "a", "b"], ["a", "b"]),
        (["1", "-1", "1"], [-1, 1]),
        (["2", "0.5", "2"], [0.5, 2.0]),
        (["True", "False", "True"], ["False", "True"]),
    ],
)
def test_labels(inline, tmp_path, labels, classes):
    path = write(tmp_path / "t.csv", "x,y\n" + "".join(f"1,{label}\n" for label in labels))
    data = Dataset.from_csv(path, label="y")
    assert data.classes.tolist() == classes
    assert data.y.tolist() == [classes[1], classes[0], classes[1]]


def test_labels_that_only_some_blocks_have(inline, tmp_path):
    frame = pd.DataFrame({"x": np.arange(900.0), "y": np.repeat(["c", "a", "b"], 300)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = Dataset.from_csv(tmp_path / "t.csv", label="y")
    kinds = {tuple(block["classes"]) for block in data.manifest.blocks}
    assert ("c",) in kinds and ("a", "b") in kinds
    assert data.y.tolist() == frame["y"].tolist()
    assert data[[899, 0, 450, 0]].y.tolist() == ["b", "c", "a", "c"]


def test_a_bad_row_is_told_with_its_line(workers, tmp_path):
    lines = [f'{i},"two\nlines"' for i in range(400)]
    lines[317] = 'x,"two\nlines"'
    path = write(tmp_path / "t.csv", "n,t\n" + "\n".join(lines) + "\n")
    url = (tmp_path / "to").as_uri()
    with pytest.raises(BadRowError, match=r"t\.csv, line 636: 'x' is not a number"):
        Dataset.from_csv(path, types={"n": "number"}, url=url)
    # The same place can be gone on with, without it.
    data = Dataset.from_csv(path, types={"n": "number"}, url=url, on_bad_rows="skip")
    assert data.skipped_rows == 1 and data.shape == (399, 2)
    assert Dataset.open(url).skipped_rows == 1


def test_a_bad_row_of_a_compressed_file(inline, tmp_path):
    text = "n,m\n" + "1,2\n" * 2000 + "1,2,3\n" + "1,2\n" * 10
    path = write(tmp_path / "t.csv.gz", gzip.compress(text.encode()))
    with pytest.raises(BadRowError, match=r"line 2002: the row has 3 cells, not 2"):
        Dataset.from_csv(path)
    assert Dataset.from_csv(path, on_bad_rows="skip").skipped_rows == 1


def test_a_row_without_a_label_is_bad(inline, tmp_path):
    path = write(tmp_path / "t.csv", "x,y\n1,a\n2,\n")
    with pytest.raises(BadRowError, match="line 3: the label is missing"):
        Dataset.from_csv(path, label="y")


@pytest.mark.parametrize("text", ["", "a,b\n", "a,b", "\n\n"])
def test_files_without_rows(inline, tmp_path, text):
    path = write(tmp_path / "t.csv", text)
    url = tmp_path / "to"
    with pytest.raises(ValueError, match="t.csv"):
        Dataset.from_csv(path, url=url.as_uri())
    assert not url.exists() or not list(url.iterdir())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"label": "nope"}, "no column 'nope'; there are: number, text"),
        ({"types": {"count": "int"}}, r"types\['count'\] must be one of number, text, skip"),
        ({"types": {"label": "skip"}, "label": "label"}, "'label' cannot be skipped"),
        ({"delimiter": ";;"}, "delimiter must be one ASCII character"),
        ({"delimiter": '"'}, "cannot both be"),
        ({"dtype": "int"}, "dtype must be float32 or float64"),
        ({"header": False}, "without a header the columns need names"),
        ({"names": ["a"]}, "1 names for 4 columns"),
        ({"names": ["a", "b", "a", "d"]}, "must be distinct"),
        ({"on_bad_rows": "warn"}, "on_bad_rows must be one of error, skip"),
    ],
)
def test_bad_parameters(csv_file, inline, options, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_csv(csv_file, **options)


def test_files_that_do_not_go_together(csv_file, inline, tmp_path):
    other = write(tmp_path / "other.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match="other.csv has other columns than"):
        Dataset.from_csv([csv_file, other])


def test_files_that_cannot_be_read(inline, tmp_path):
    for path, error, message in (
        (tmp_path / "absent.csv", StoreError, "absent.csv: No such file"),
        (tmp_path, StoreError, "Is a directory"),
        ("http://host/t.csv", StoreError, "write file:///path or s3://bucket/key"),
        ("s3://bucket/*.csv", ValueError, "files of this machine alone"),
    ):
        with pytest.raises(error, match=message):
            Dataset.from_csv(path)


def test_a_file_that_changes_meanwhile_begins_anew(inline, tmp_path):
    """Its stamp is part of what two loadings must agree on: see test_resuming.py."""
    path = tmp_path / "t.csv"
    table(100).to_csv(path, index=False)
    url = (tmp_path / "to").as_uri()
    Dataset.from_csv(path, url=url)
    with config_context(backend="inline"):
        with pytest.raises(StoreError, match="there is a dataset in .*overwrite=True"):
            Dataset.from_csv(path, url=url)
        table(50).to_csv(path, index=False)
        assert len(Dataset.from_csv(path, url=url, overwrite=True)) == 50
        assert len(Dataset.open(url)) == 50
