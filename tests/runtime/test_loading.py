"""Ranges of files: every row is read once and whole, wherever the ranges end."""

import csv
import gzip
import io
import json
import random
from types import SimpleNamespace

import pytest

from cirrus_runtime.errors import StoreError
from cirrus_runtime.loading import Load, Ranges, Scan
from cirrus_runtime.parsing import ROW, parse_delimited, parse_libsvm
from cirrus_runtime.store import FolderStore
from cirrus_runtime.tables import decode_table

NAMES = ["a", "b", "label"]


def options_of(path, folder, range_bytes, **more):
    data = path.read_bytes()
    source = {"url": path.as_uri(), "size": len(data), "skip": 0, "compression": None}
    source |= {name: more.pop(name) for name in ("skip", "compression") if name in more}
    return {
        "sources": [source],
        "range_bytes": range_bytes,
        "url": folder.as_uri(),
        "format": "delimited",
        "delimiter": ",",
        "quote": '"',
        "names": NAMES,
        "kinds": ["text"] * 3,
        "label": None,
        "dtype": "float64",
        "skips": True,
        "states": "",
    } | more


def load(options):
    """Do what workers and client do; return the parts, in order."""
    job, ranges = (
        SimpleNamespace(options=options),
        Ranges(options["sources"], options["range_bytes"]),
    )
    lease = [SimpleNamespace(block=i, name=str(i)) for i in range(len(ranges))]
    if options["quote"] is not None and not ranges[0][0]["compression"]:
        scan, state = Scan(job), ROW
        for one in lease:
            options["states"] += str(state)
            state = scan.apply(one, scan.read(None, one.name))[1][state]
    worker = Load(job)
    return [worker.apply(one, worker.read(None, one.name))[1] for one in lease]


def rows_of(parts, folder):
    """The rows of text of all blocks."""
    store, rows = FolderStore(folder), []
    for part in parts:
        for told in part["blocks"]:
            table = decode_table(store.get(told["name"]), told["name"])
            columns = [[cell or "" for cell in column.tolist()] for column in table.columns]
            rows += map(list, zip(*columns, strict=True))
    return rows


def random_csv(seed, end):
    """Rows with every difficulty, and their text."""
    draw = random.Random(seed)
    cells = ["", "1", "x,y", 'q"', '""', "\n", "\r\n", "a\nb", ",", "long" * 9]
    rows = [[draw.choice(cells) for _ in range(3)] for _ in range(30)]
    text = io.StringIO()
    csv.writer(text, lineterminator=draw.choice(["\n", "\r\n"])).writerows(rows)
    return rows, text.getvalue().rstrip("\r\n") + end


@pytest.mark.parametrize("seed", range(12))
def test_quoted_rows_are_read_once_wherever_ranges_end(seed, tmp_path):
    rows, text = random_csv(seed, "" if seed % 2 else "\n")
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    for range_bytes in (1, 2, 3, 7, 50, len(text), 2 * len(text)):
        folder = tmp_path / str(range_bytes)
        parts = load(options_of(path, folder, range_bytes))
        assert rows_of(parts, folder) == rows, range_bytes
        assert sum(part["n_lines"] for part in parts) == text.rstrip("\r\n").count("\n") + 1


def test_rows_without_quotes_need_no_scan(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("".join(f'{i}\t"{i}\t\n' for i in range(50)))
    expected = [[str(i), f'"{i}', ""] for i in range(50)]
    for range_bytes in (1, 6, 7, 99):
        folder = tmp_path / str(range_bytes)
        parts = load(options_of(path, folder, range_bytes, delimiter="\t", quote=None))
        assert rows_of(parts, folder) == expected


@pytest.mark.parametrize("range_bytes", [1, 5, 64, 10_000])
def test_the_line_of_a_bad_row_counts_those_of_all_ranges_before(tmp_path, range_bytes):
    text = 'a,"two\nlines",1\n\nb,c,2\nbad\nd,"x\n\ny",3\ne,f,g,h\n'
    path = tmp_path / "t.csv"
    path.write_text(text)
    parts = load(options_of(path, tmp_path / "to", range_bytes))
    lines, before = [], 0
    for part in parts:
        lines += [before + line for line, _ in part["bad"]]
        before += part["n_lines"]
    assert lines == [4, 8] and sum(part["n_bad"] for part in parts) == 2
    assert parse_delimited(text.encode(), ["text"] * 3, ",", '"').n_bad == 2


@pytest.mark.parametrize("range_bytes", [40, 10_000])
def test_a_compressed_file_becomes_some_blocks(tmp_path, range_bytes):
    rows, text = random_csv(3, "\n")
    path = tmp_path / "t.csv.gz"
    path.write_bytes(
        gzip.compress(b"head\n" + text[:200].encode()) + gzip.compress(text[200:].encode())
    )
    options = options_of(path, tmp_path / "to", range_bytes, skip=5, compression="gzip")
    parts = load(options)
    assert rows_of(parts, tmp_path / "to") == rows
    assert len(parts) == 1 and (len(parts[0]["blocks"]) > 3) == (range_bytes == 40)


def test_a_file_that_is_cut_off_or_damaged_is_refused(tmp_path):
    whole = gzip.compress(b"1,2,3\n" * 1000)
    for data, message in ((whole[:-9], "cut off"), (whole[:20] + b"xxxx" + whole[24:], "damaged")):
        path = tmp_path / "t.csv.gz"
        path.write_bytes(data)
        with pytest.raises(StoreError, match=message):
            load(options_of(path, tmp_path / "to", 1 << 20, compression="gzip"))


def test_a_quote_that_is_never_closed_is_no_row_of_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr("cirrus_runtime.loading._LONGEST_ROW", 1000)
    monkeypatch.setattr("cirrus_runtime.loading._TAIL", 512)
    path = tmp_path / "t.csv"
    path.write_text('a,"b,c\n' + "d,e,f\n" * 1000)
    with pytest.raises(StoreError, match="most likely a quote is never closed"):
        load(options_of(path, tmp_path / "to", 64))


@pytest.mark.parametrize("range_bytes", [1, 9, 1000])
def test_rows_of_libsvm(tmp_path, range_bytes):
    text = "".join(f"{i % 3} {i + 1}:0.5 {i + 2}:{i}\n" for i in range(20)).encode()
    path = tmp_path / "t.svm"
    path.write_bytes(text)
    more = {"format": "libsvm", "delimiter": " ", "quote": None, "zero_based": False}
    parts = load(options_of(path, tmp_path / "to", range_bytes, **more, n_features=None))
    whole = parse_libsvm(text)
    assert sum(block["n_rows"] for part in parts for block in part["blocks"]) == whole.n_rows == 20
    assert max(part["n_columns"] for part in parts) == whole.n_columns == 21
    with pytest.raises(StoreError, match="21 columns, more than n_features=20"):
        load(options_of(path, tmp_path / "to", 1000, **more, n_features=20))


def test_a_part_says_what_is_done(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,2,a\n3,4,b\n5,6,a\nbad\n")
    folder = tmp_path / "to"
    told = load(options_of(path, folder, 1000, label=2))[0]
    assert told["blocks"][0]["classes"] == ["a", "b"] and told["blocks"][0]["counts"] == [2, 1]
    assert json.loads((folder / "part-000000.json").read_text()) == told
    load(options_of(path, tmp_path / "other", 1000, skips=False))
    assert not list((tmp_path / "other").glob("part-*"))  # bad rows: it is not done


def test_too_many_labels_are_no_classes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"1,2,{i}\n" for i in range(1001)))
    with pytest.raises(StoreError, match="1001 distinct values"):
        load(options_of(path, tmp_path / "to", 1 << 20, label=2))
