"""The made-up Criteo files: the rows of make_clicks, as the challenge's files write them."""

import gzip
import re

import numpy as np
import pytest

from sklearn_cirrus.datasets import _criteo, make_clicks, write_criteo
from sklearn_cirrus.datasets._clicks import GROUP, draw_rows

N_ROWS = GROUP + 300


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("criteo") / "clicks.tsv"
    write_criteo(path, N_ROWS, random_state=3)
    return path


@pytest.fixture(scope="module")
def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_every_line_has_the_cells_of_the_challenge(rows, path):
    assert path.read_bytes().endswith(b"\n")
    assert len(rows) == N_ROWS
    count, category = re.compile(r"(0|[1-9]\d{0,9})?"), re.compile(r"([0-9a-f]{8})?")
    for row in rows[:2000]:
        assert len(row) == 40 and row[0] in "01"
        assert all(count.fullmatch(cell) for cell in row[1:14])
        assert all(category.fullmatch(cell) for cell in row[14:])


def test_the_rows_are_those_of_make_clicks(rows):
    """The labels, the counts' buckets, and which rows share a category."""
    X, y = make_clicks(N_ROWS, random_state=3)
    assert [int(row[0]) for row in rows] == y.tolist()
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    drawn = [draw_rows(seed, group)[0] for group in range(2)]
    values = np.concatenate(drawn, axis=1)[:, :N_ROWS]
    for field in range(13):
        cells = [row[1 + field] for row in rows]
        buckets = [0 if cell == "" else int(np.log1p(int(cell)) ** 2) + 1 for cell in cells]
        assert buckets == values[field].tolist()
    for field in range(13, 39):
        pairs = set(zip([row[1 + field] for row in rows], values[field].tolist(), strict=True))
        assert len(pairs) == len(np.unique(values[field])) == len({text for text, _ in pairs})


def test_there_are_gaps_where_the_challenge_has_them(rows):
    gaps = np.array([[cell == "" for cell in row[1:]] for row in rows]).mean(axis=0)
    assert 0.44 < gaps[0] < 0.46 and gaps[1] == 0 and 0.75 < gaps[11] < 0.79
    missing = gaps[13:] > 0
    assert np.flatnonzero(missing).tolist() == _criteo._WITH_GAPS.tolist()
    assert gaps[13:][missing].min() > 0.03 and gaps[13:][missing].max() < 0.5


@pytest.mark.parametrize("n_rows", [1, 2, GROUP - 1, GROUP, GROUP + 1])
def test_a_shorter_file_is_the_beginning_of_a_longer_one(path, tmp_path, n_rows):
    short = tmp_path / "short.tsv"
    write_criteo(short, n_rows, random_state=3)
    written = short.read_bytes()
    assert written.count(b"\n") == n_rows and path.read_bytes().startswith(written)


def test_a_file_may_be_compressed_and_is_replaced(path, tmp_path):
    packed = tmp_path / "clicks.tsv.gz"
    packed.write_bytes(b"something else")
    write_criteo(str(packed), 100, random_state=3)
    assert path.read_bytes().startswith(gzip.decompress(packed.read_bytes()))


def test_another_seed_makes_another_file(path, tmp_path):
    other = tmp_path / "other.tsv"
    write_criteo(other, 10, random_state=4)
    assert not path.read_bytes().startswith(other.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"n_rows": 0}, ValueError),
        ({"n_rows": 2.5}, TypeError),
        ({"n_rows": 5, "signal": -1}, ValueError),
        ({"n_rows": 5, "random_state": "x"}, ValueError),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_written(tmp_path, arguments, error):
    with pytest.raises(error):
        write_criteo(tmp_path / "clicks.tsv", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_file_is_removed(tmp_path, monkeypatch):
    def interrupt(seed, group):
        if group == 1:
            raise KeyboardInterrupt
        return draw_rows(seed, group)

    monkeypatch.setattr(_criteo, "draw_rows", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_criteo(tmp_path / "clicks.tsv", N_ROWS)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_criteo(tmp_path / "nowhere" / "clicks.tsv", 5)
