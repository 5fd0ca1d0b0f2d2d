"""Ratings of CSV files: what is read, and what is said of a file that cannot be."""

import csv

import numpy as np
import pytest

from sklearn_cirrus.datasets import load_ratings


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "ratings.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_the_layout_of_movielens(write):
    X, users, items = load_ratings(
        write("userId,movieId,rating,timestamp\n10,500,4.0,9\n9,7,0\n10,7,3.5,8\n\n9,500,1,1\n")
    )
    assert X.format == "csr" and X.dtype == np.float32 and X.indices.dtype == np.int32
    np.testing.assert_array_equal(X.toarray(), [[0, 1], [3.5, 4]])
    assert X.nnz == 4  # a rating of zero is one
    assert users.dtype == items.dtype == np.int64
    assert users.tolist() == [9, 10] and items.tolist() == [7, 500]


def test_other_names_quotes_and_ids_of_text(write):
    text = 'stars,"film, full",who,more\r\n5,"Heat, 1995",zoë,x\r\n2,Alien,adam,\r\n'
    X, users, items = load_ratings(
        write(text, "utf-8-sig"), user="who", item="film, full", rating="stars"
    )
    assert users.tolist() == ["adam", "zoë"] and items.tolist() == ["Alien", "Heat, 1995"]
    np.testing.assert_array_equal(X.toarray(), [[2, 0], [0, 5]])


def test_ids_written_in_two_ways_are_one(write):
    X, users, _ = load_ratings(write("userId,movieId,rating\n07,1,4\n7,2,5\n"))
    assert users.tolist() == [7] and X.toarray().tolist() == [[4, 5]]


def test_movielens_itself(data_dir):
    path = data_dir / "ml-latest-small" / "ratings.csv"
    X, users, items = load_ratings(str(path))
    assert X.shape == (610, 9724) and X.nnz == 100_836
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::997]:
        user = np.searchsorted(users, int(row["userId"]))
        item = np.searchsorted(items, int(row["movieId"]))
        assert X[user, item] == float(row["rating"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the column 'userId' is missing"),
        ("userId,movieId,rating\n", "has no ratings"),
        ("userId,film,rating\n1,2,3\n", "line 1: the column 'movieId' is missing among 'userId, f"),
        ("userId,movieId,rating\n1,2,3\n1,4\n", "line 3: 2 fields are too few"),
        ("userId,movieId,rating\n1,2,3\n\n1,4,good\n", "line 4: the rating 'good' is not a finite"),
        ("userId,movieId,rating\n1,2,nan\n", "line 2: the rating 'nan' is not a finite number"),
        (
            "userId,movieId,rating\n1,2,3\n1,3,3\n1,2,4\n",
            "line 4: user 1 has rated item 2 before, in line 2",
        ),
    ],
)
def test_bad_files_are_told_by_name_and_line(write, text, message):
    path = write(text)
    with pytest.raises(ValueError) as caught:
        load_ratings(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_what_is_not_text_is_told(write):
    path = write("userId,movieId,rating\n1,2,3\né,2,3\n", "latin-1")
    with pytest.raises(ValueError, match="ratings.csv is not UTF-8, somewhere after line 0"):
        load_ratings(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_ratings(tmp_path / "nothing.csv")
