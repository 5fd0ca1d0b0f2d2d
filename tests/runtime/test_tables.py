"""Table blocks: round trips, the safetensors library as the oracle, and damage."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from cirrus_runtime.errors import BlockError
from cirrus_runtime.tables import TableBlock, Text, decode_table, encode_table

WORDS = ["a", None, "ßé", "long " * 9, "a"]


@pytest.fixture
def table():
    return TableBlock(
        names=("size", "word", "n"),
        columns=(
            np.array([1.5, np.nan, -2, 0, 1e300]),
            Text.of(WORDS),
            np.arange(5, dtype=np.float32),
        ),
        labels=np.array([0, 1, 0, 2, 1], np.float32),
        weights=np.array([1, 2, 3, 4, 5.0]),
    )


def cut(ends):
    """Five bytes of text with these ends."""
    return Text(np.array(ends, np.uint32), np.zeros(5, np.uint8))


def encoded(table):
    return b"".join(encode_table(table))


def assert_same(one, other):
    assert one.names == other.names
    for a, b in zip(one.columns, other.columns, strict=True):
        if isinstance(a, Text):
            assert a.tolist() == b.tolist()
        else:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_round_trip(table):
    assert_same(decode_table(encoded(table), "t"), table)
    assert table.columns[1].tolist() == WORDS


def test_the_library_reads_it(table):
    arrays = safetensors.numpy.load(encoded(table))
    assert set(arrays) == {"0.numbers", "1.ends", "1.bytes", "2.numbers", "labels", "weights"}
    np.testing.assert_array_equal(arrays["0.numbers"], table.columns[0])


def test_parts_may_be_missing(table):
    bare = replace(table, labels=None, weights=None)
    assert decode_table(encoded(bare), "t").labels is None
    empty = TableBlock(("a",), (Text.of([]),))
    assert decode_table(encoded(empty), "t").n_rows == 0


@pytest.mark.parametrize("rows", [[4, 0, 0], [], slice(1, 4), [1]], ids=str)
def test_rows_are_taken(table, rows):
    places = np.arange(5)[rows if isinstance(rows, slice) else np.array(rows, int)]
    taken = table.take(rows if isinstance(rows, slice) else places)
    assert taken.columns[1].tolist() == [WORDS[i] for i in places]
    np.testing.assert_array_equal(taken.columns[0], table.columns[0][places])
    np.testing.assert_array_equal(taken.labels, table.labels[places])
    assert_same(decode_table(encoded(taken), "t"), taken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a", "a", "b")}, "distinct names"),
        ({"names": ("a",)}, "distinct names"),
        ({"labels": np.array([0, 0.5, 0, 0, 0], np.float32)}, "not a class index"),
        ({"labels": np.zeros(4, np.float32)}, "4 values, not 5"),
        ({"weights": np.zeros(5, np.int32)}, "dtype int32"),
        ({"columns": (np.zeros(5), Text.of(WORDS), np.zeros(6))}, "6 values"),
        ({"columns": (np.zeros(5), cut([1, 2, 3, 4, 9]), np.zeros(5))}, "do not fit its bytes"),
        ({"columns": (np.zeros(5), cut([3, 2, 3, 4, 5]), np.zeros(5))}, "do not fit its bytes"),
    ],
)
def test_what_does_not_fit_is_refused(table, change, message):
    with pytest.raises(BlockError, match=message):
        encode_table(replace(table, **change))


def test_every_truncation_is_noticed(table):
    file = encoded(table)
    for length in range(len(file)):
        with pytest.raises(BlockError):
            decode_table(file[:length], "t")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not a table"),
        ({"format": "cirrus.block"}, "not a table"),
        ({"version": "99"}, "version '99'"),
        ({"columns": "["}, "names of the columns"),
        ({"columns": "[1, 2, 3]"}, "names of the columns"),
        ({"columns": '["a", "b"]'}, "unknown array"),
        ({"columns": '["a", "b", "c", "d"]'}, "neither numbers nor text"),
    ],
)
def test_damaged_metadata(table, metadata, message):
    file = encoded(table)
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = None if metadata is None else header["__metadata__"] | metadata
    text = json.dumps(header).encode()
    with pytest.raises(BlockError, match=message):
        decode_table(len(text).to_bytes(8, "little") + text + file[8 + length :], "t")
