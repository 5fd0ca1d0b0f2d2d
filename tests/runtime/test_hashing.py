"""Hashing tables: scikit-learn's FeatureHasher is the oracle, bit for bit."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher

from cirrus_runtime.errors import BlockError
from cirrus_runtime.hashing import hash_table
from cirrus_runtime.tables import TableBlock, Text

WORDS = ["a", "bb", "ccc", "dddd", "é€", None, "x" * 300, "=", "68fd1e64"]


def random_table(seed, n):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=n).round(2)
    numbers[rng.random(n) < 0.3] = np.nan
    numbers[rng.random(n) < 0.2] = 0
    words = [[WORDS[i] for i in rng.integers(len(WORDS), size=n)] for _ in range(3)]
    return TableBlock(
        ("number", "größe", "b", "", "counts"),
        (numbers, *map(Text.of, words), rng.integers(0, 9, n).astype(np.float32)),
        labels=np.zeros(n, np.float32),
    )


def as_dicts(table, number=lambda x: x):
    columns = [c.tolist() for c in table.columns]
    return [
        {
            name: cell if isinstance(cell, str) else number(cell)
            for name, cell in zip(table.names, row, strict=True)
            if cell is not None and cell == cell
        }
        for row in zip(*columns, strict=True)
    ]


def as_matrix(block):
    data = np.ones(len(block.indices)) if block.data is None else block.data
    return csr_matrix((data, block.indices, block.indptr), shape=(block.n_rows, block.n_features))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("n_features", [1, 7, 1000, 2**20, 2**31 - 1])
def test_rows_are_those_of_the_feature_hasher(signed, n_features):
    table = random_table(0, 400)
    found = as_matrix(hash_table(table, n_features, signed, dtype=np.float64))
    oracle = FeatureHasher(n_features, alternate_sign=signed).transform(as_dicts(table))
    difference = found - oracle
    assert difference.nnz == 0 or np.abs(difference.data).max() < 1e-12  # sums in another order
    assert found.has_sorted_indices


def test_buckets():
    numbers = np.array([0, 1, 10, 1e6, -3, np.nan, np.inf])
    table = TableBlock(("c",), (numbers,))
    found = as_matrix(hash_table(table, 2**20, False, "buckets"))
    buckets = ["0", "0", "5", "190", "-1", None, str(2**31 - 1)]  # by hand: log(11)^2 = 5.75
    texts = [{"c": bucket} if bucket else {} for bucket in buckets]
    oracle = FeatureHasher(2**20, alternate_sign=False).transform(texts)
    assert (found != oracle).nnz == 0


def test_buckets_of_all_small_counts_and_of_numbers_between():
    numbers = np.concatenate([np.arange(1100.0), np.arange(1100) + 0.5, np.logspace(3, 300, 500)])
    table = TableBlock(("c",), (numbers,))
    found = as_matrix(hash_table(table, 2**20, False, "buckets"))
    texts = [{"c": str(int(bucket))} for bucket in np.log1p(numbers) ** 2]
    oracle = FeatureHasher(2**20, alternate_sign=False).transform(texts)
    assert (found != oracle).nnz == 0


@pytest.mark.parametrize("n_columns", [63, 64, 65, 130, 1000])
@pytest.mark.parametrize("n_features", [50, 2**20])
def test_rows_of_many_columns(n_columns, n_features):
    """Also whose names have every length, and texts every length that a word of four may end in."""
    rng = np.random.default_rng(n_columns)
    cells = [[f"{'x' * (i % 9)}{j}" for i in rng.integers(0, 50, 3)] for j in range(n_columns)]
    names = tuple(f"{'n' * (j % 7)}{j}" for j in range(n_columns))
    table = TableBlock(names, tuple(map(Text.of, cells)))
    found = as_matrix(hash_table(table, n_features, True, dtype=np.float64))
    oracle = FeatureHasher(n_features).transform(as_dicts(table))
    assert abs(found - oracle).sum() == 0  # sums of ones are exact
    assert found.has_sorted_indices


@pytest.mark.parametrize("rows", [[], [3], [0, 1, 2], [399, 7, 7, 0]])
def test_some_rows(rows):
    table = random_table(1, 400)
    rows = np.array(rows, np.int64)
    found = hash_table(table, 1000, True, rows=rows)
    whole = as_matrix(hash_table(table, 1000, True))
    assert (as_matrix(found) != whole[rows]).nnz == 0
    assert found.n_rows == len(found.labels) == len(rows)


def test_rows_that_are_not_there():
    for rows in ([400], [-1]):
        with pytest.raises(BlockError, match="400 rows"):
            hash_table(random_table(1, 400), 8, True, rows=np.array(rows))


def test_ones_take_no_space():
    table = TableBlock(("a",), (Text.of(["x", "y"]),), labels=np.array([0, 1], np.float32))
    block = hash_table(table, 2**20, False)
    assert block.data is None
    assert block.labels is table.labels
    assert hash_table(table, 1, True).data.dtype == np.float32


def test_a_table_without_columns_or_rows():
    assert hash_table(TableBlock((), ()), 8, True).n_rows == 0
    assert hash_table(TableBlock(("a",), (Text.of([]),)), 8, True).n_rows == 0
