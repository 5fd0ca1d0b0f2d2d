"""Blocks: round trips, the safetensors library as the oracle, and damage of every kind."""

import json
import mmap
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from cirrus_runtime.blocks import VERSION, Block, decode_block, encode_block
from cirrus_runtime.errors import BlockError

ARRAYS = ("indptr", "indices", "data", "labels", "weights", "entry_weights")


@pytest.fixture
def block():
    """Four rows of 3, 0, 2 and 1 entries, with every optional part."""
    return Block(
        indptr=np.array([0, 3, 3, 5, 6], np.uint32),
        indices=np.array([4, 0, 9, 1, 1, 8], np.uint32),
        data=np.array([0.5, -1, 2, 3, np.inf, 1e-30], np.float32),
        labels=np.array([0, 2, 1, 0], np.float32),
        weights=np.array([1, 0.5, 2, 0], np.float32),
        n_features=10,
        entry_weights=np.array([1, 0, 0.5, 2, 3, 1e30], np.float32),
    )


def encoded(block):
    return b"".join(encode_block(block))


def with_header(file, change):
    """The file with a changed header: change gets the parsed one and may return another."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header = change(header) or header
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + file[8 + length :]


def assert_same(actual, expected):
    assert actual.n_features == expected.n_features
    for name in ARRAYS:
        one, other = getattr(actual, name), getattr(expected, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("absent", [(), ("data",), ("labels", "weights"), ARRAYS[2:]], ids=str)
def test_round_trip(block, absent):
    block = replace(block, **dict.fromkeys(absent))
    assert_same(decode_block(encoded(block), "b"), block)


def test_round_trip_without_rows_and_without_entries():
    nothing = np.zeros(0, np.float32)
    for n_rows in (0, 3):
        block = Block(
            np.zeros(n_rows + 1, np.uint32),
            np.zeros(0, np.uint32),
            nothing,
            np.ones(n_rows, np.float32),
            None,
            2**32 - 1,
        )
        decoded = decode_block(encoded(block), "b")
        assert_same(decoded, block)
        assert decoded.n_rows == n_rows


def test_the_safetensors_library_reads_what_we_write(block):
    read = safetensors.numpy.load(encoded(block))
    assert set(read) == set(ARRAYS)
    for name in ARRAYS:
        np.testing.assert_array_equal(read[name], getattr(block, name))


def test_we_read_what_the_safetensors_library_writes(block):
    arrays = {name: getattr(block, name) for name in ARRAYS}
    metadata = {"format": "cirrus.block", "version": str(VERSION), "n_features": "10"}
    assert_same(decode_block(safetensors.numpy.save(arrays, metadata), "b"), block)


def test_implicit_parts_take_no_space(block):
    bare = replace(block, data=None, labels=None, weights=None, entry_weights=None)
    arrays = bare.indptr.nbytes + bare.indices.nbytes
    assert bare.nbytes == arrays
    assert sum(len(piece) for piece in encode_block(bare)[1:]) == arrays
    assert len(encoded(bare)) < arrays + 350


def test_neither_encoding_nor_decoding_copies(block, tmp_path):
    pieces = encode_block(block)
    assert np.shares_memory(np.frombuffer(pieces[2], np.uint32), block.indices)
    path = tmp_path / "block"
    path.write_bytes(b"".join(pieces))
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    decoded = decode_block(mapped, "b")
    whole = np.frombuffer(mapped, np.uint8)
    for name in ARRAYS:
        array = getattr(decoded, name)
        assert np.shares_memory(array, whole)
        assert array.flags.aligned and not array.flags.writeable


def test_a_misaligned_buffer_is_copied_to_its_place(block):
    shifted = memoryview(b"x" + encoded(block))[1:]
    decoded = decode_block(shifted, "b")
    assert_same(decoded, block)
    assert all(getattr(decoded, name).flags.aligned for name in ARRAYS)


def test_arrays_that_are_not_contiguous_are_encoded(block):
    strided = replace(block, indices=np.repeat(block.indices, 2)[::2])
    assert_same(decode_block(encoded(strided), "b"), block)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": np.array([0, 3, 2, 5, 6], np.uint32)}, "indptr decreases"),
        ({"indptr": np.array([1, 3, 3, 5, 6], np.uint32)}, "does not run from 0 to the 6"),
        ({"indptr": np.array([0, 3, 3, 5, 7], np.uint32)}, "does not run from 0 to the 6"),
        ({"indptr": np.zeros(0, np.uint32)}, "does not run from 0"),
        ({"n_features": 9}, "column 9 in data of 9 columns"),
        ({"n_features": 0}, "n_features is 0"),
        ({"n_features": 2**32}, "n_features is 4294967296"),
        ({"data": np.zeros(5, np.float32)}, "data has 5 values, not 6"),
        ({"labels": np.zeros(5, np.float32)}, "labels has 5 values, not 4"),
        ({"weights": np.zeros(3, np.float32)}, "weights has 3 values, not 4"),
        ({"labels": np.array([0, 1, np.nan, 0], np.float32)}, "not a class index"),
        ({"labels": np.array([0, 1, np.inf, 0], np.float32)}, "not a class index"),
        ({"labels": np.array([0, 1, -1, 0], np.float32)}, "not a class index"),
        ({"labels": np.array([0, 1, 0.5, 0], np.float32)}, "not a class index"),
        ({"data": np.zeros(6, np.float16)}, "data has shape .* float16, not .* float32 or float64"),
        ({"indices": np.zeros((6, 1), np.uint32)}, "indices has shape"),
    ],
)
def test_a_wrong_block_is_not_encoded(block, change, message):
    with pytest.raises(BlockError, match=message):
        encode_block(replace(block, **change))


def test_every_truncation_is_noticed(block):
    file = encoded(block)
    for length in range(len(file)):
        with pytest.raises(BlockError, match="^runs/7/train/3: "):
            decode_block(file[:length], "runs/7/train/3")
    with pytest.raises(BlockError, match="1 bytes too many"):
        decode_block(file + b"\0", "b")


def put_metadata(**changes):
    return lambda header: header["__metadata__"].update(changes)


def put_entry(name, **changes):
    return lambda header: header[name].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_metadata(version="1"), "format version '1', this program reads 3"),
        (put_metadata(version=2), "format version"),
        (put_metadata(format="pt"), "not a block"),
        (lambda header: header.pop("__metadata__") and None, "not a block"),
        (put_metadata(n_features="ten"), "n_features is 'ten'"),
        (put_metadata(n_features="9" * 5000), "n_features|would take"),
        (put_metadata(n_features="4"), "column 9 in data of 4 columns"),
        (lambda header: [header], "not a JSON object"),
        (lambda header: header.update(bias=header.pop("data")), "unknown array 'bias'"),
        (lambda header: header.update(indices=None), "indices is not of dtype U32"),
        (put_entry("indices", dtype="F32"), "indices is not of dtype U32"),
        (put_entry("indices", shape=[6, 1]), "damaged"),
        (put_entry("indices", shape=[-6]), "damaged"),
        (put_entry("indices", shape=[6.0]), "damaged"),
        (put_entry("indices", shape=[True]), "damaged"),
        (put_entry("indices", shape=[7]), "does not fit its shape"),
        (put_entry("indices", data_offsets=[20]), "damaged"),
        (put_entry("indices", data_offsets=[24, 48]), "not where the array before it ends"),
        (put_entry("weights", shape=[2**40], data_offsets=[84, 84 + 2**42]), "past the end"),
    ],
)
def test_a_wrong_header_is_refused(block, change, message):
    with pytest.raises(BlockError, match=message):
        decode_block(with_header(encoded(block), change), "b")


def test_a_missing_array_is_named():
    metadata = {"format": "cirrus.block", "version": str(VERSION), "n_features": "10"}
    file = safetensors.numpy.save({"indptr": np.zeros(1, np.uint32)}, metadata)
    with pytest.raises(BlockError, match="the array indices is missing"):
        decode_block(file, "b")


def test_deep_nesting_in_the_header_is_refused():
    text = b"[" * 4096
    with pytest.raises(BlockError, match="the header is damaged"):
        decode_block(len(text).to_bytes(8, "little") + text, "b")


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_gives_an_error_or_a_valid_block(block, seed):
    file = encoded(block)
    header_end = 8 + int.from_bytes(file[:8], "little")
    rng = np.random.default_rng(seed)
    outcomes = {"refused": 0, "valid": 0}
    for trial in range(5000):
        damaged = bytearray(file)
        part = (0, header_end) if trial % 2 else (header_end, len(file))
        for place in rng.integers(*part, rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(0, 8)
        try:
            decoded = decode_block(damaged, "b")
        except BlockError:
            outcomes["refused"] += 1
            continue
        outcomes["valid"] += 1
        encode_block(decoded)  # which checks it once more
        assert decoded.n_rows == 4 and decoded.indices.max() < decoded.n_features
    assert min(outcomes.values()) > 300
