"""Keys of rows: the same for equal rows wherever they are, others for any difference."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus._row_keys import RowIndex, keys_of_rows

RANDOM = np.random.default_rng(0)
WIDE = RANDOM.normal(size=(300, 400))  # rows of several chunks of the hash
LABELS = RANDOM.integers(0, 2, 300).astype(np.float32)


def as_tuples(keys):
    return [tuple(key) for key in keys.tolist()]


@pytest.mark.parametrize("make", [
    lambda X: X[:, :3].copy(), lambda X: X.astype(np.float32), np.asfortranarray,
    lambda X: X[:, ::-2], lambda X: sparse.csr_array(np.where(X > 0.5, X, 0)),
])  # fmt: skip
def test_rows_are_known_wherever_they_are(make):
    X = make(WIDE)
    keys = keys_of_rows(X, LABELS)
    assert len(set(as_tuples(keys))) == len(set(keys[:, 1].tolist())) == 300
    order = RANDOM.permutation(300)[:200]
    assert np.array_equal(keys_of_rows(X[order], LABELS[order]), keys[order])


def test_long_arrays_are_looked_at_in_parts():
    X = np.asfortranarray(RANDOM.normal(size=(9001, 2)))
    assert np.array_equal(keys_of_rows(X)[8999:], keys_of_rows(X[8999:].copy()))


def test_every_byte_counts():
    row = np.frombuffer(RANDOM.bytes(2500), np.uint8)[None]
    rows = np.repeat(row, 2501, axis=0)
    rows[np.arange(2500), np.arange(2500)] ^= 1
    keys = keys_of_rows(rows)
    assert len(set(as_tuples(keys))) == len(set(keys[:, 1].tolist())) == 2501


def test_lengths_places_and_columns_count():
    rows = sparse.csr_array(  # the same value at other places, zeros that are stored, no entries
        (np.array([1.0, 1, 1, 0, 1, 0, 0]), np.array([0, 1, 0, 1, 1, 2, 0]),
         np.array([0, 1, 2, 4, 6, 6, 7])), shape=(6, 3),
    )  # fmt: skip
    ones, twos = np.ones(6, np.float32), np.full(6, 2, np.float32)
    found = [keys_of_rows(rows, *more) for more in ((), (ones,), (twos,), (ones, twos), (None,))]
    assert np.array_equal(found[0], found[4])
    assert len({key for keys in found[:4] for key in as_tuples(keys)}) == 24


def test_rows_that_are_the_same_are_told_apart():
    X = np.array([[1.0], [2.0], [1.0], [1.0], [2.0], [3.0]])
    keys = set(as_tuples(keys_of_rows(X)))
    assert len(keys) == 6
    assert set(as_tuples(keys_of_rows(X[::-1].copy()))) == keys
    assert set(as_tuples(keys_of_rows(X[[3, 5, 0]]))) < keys  # the first two of three


def test_an_index_numbers_rows_as_they_come():
    keys = keys_of_rows(WIDE)
    index = RowIndex()
    assert index.find(keys[:2]).tolist() == [-1, -1]
    index.add(keys[50:100])
    index.add(keys[:20])
    assert len(index) == 70
    expected = np.full(300, -1)
    expected[50:100], expected[:20] = np.arange(50), np.arange(50, 70)
    order = RANDOM.permutation(300)
    assert np.array_equal(index.find(keys[order]), expected[order])
    other = keys[:1].copy()
    other[0, 0] ^= np.uint64(1)  # the word that they are not ordered by
    assert index.find(other).tolist() == [-1]
