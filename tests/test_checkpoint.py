"""Checkpoints survive their way, are kept by twos, and damage is noticed."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from cirrus_runtime.protocol import Report
from cirrus_runtime.schedule import Schedule
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from sklearn_cirrus import _checkpoint
from sklearn_cirrus._checkpoint import (
    Checkpoint,
    Checkpoints,
    decode_checkpoint,
    encode_checkpoint,
    runs_with_checkpoints,
)
from sklearn_cirrus.exceptions import StoreError


@pytest.fixture
def checkpoint():
    rng = np.random.default_rng(0)
    schedule = Schedule(0.5, True, 50, 1e-4, 5)
    for loss in (0.7, 0.6, 0.65):
        schedule.update(loss)
    return Checkpoint(
        slots={n: rng.normal(size=(7, 3)).astype(np.float32) for n in ("weights", "squares")},
        clock=(12, 0.25),
        epoch=3,
        reports={4: Report(12, "train", 3, 1, 2, 10, 1 / 3, 2 / 3), 0: Report(9, "train", 3, 0, 1)},
        history=[{"epoch": 1, "objective": 0.7}],
        schedule=schedule.state(),
        best=rng.normal(size=(7, 3)).astype(np.float32),
        best_loss=1 / 3,
        generation=5,
        identity={"seed": 3},
    )


def assert_same(found, expected):
    for field in dataclasses.fields(Checkpoint):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "slots":
            assert a.keys() == b.keys()
            assert all(np.array_equal(a[name], b[name]) for name in a)
        elif isinstance(b, np.ndarray):
            assert np.array_equal(a, b) and a.dtype == b.dtype
        else:
            assert a == b, field.name


def test_all_of_it_survives(checkpoint):
    defaults = Checkpoint({})
    data = encode_checkpoint(checkpoint)
    for field in dataclasses.fields(Checkpoint):
        assert getattr(checkpoint, field.name) is not getattr(defaults, field.name)
    assert_same(decode_checkpoint(memoryview(data), "it"), checkpoint)
    assert load(data).keys() == {"slot.weights", "slot.squares", "best"}  # anybody can read it


def test_the_beginning_survives():
    first = Checkpoint({"scale": np.ones(3, np.float32)})
    assert_same(decode_checkpoint(encode_checkpoint(first), "it"), first)


def test_a_schedule_goes_on_as_if_nothing_had_been(checkpoint):
    going, anew = (Schedule(0.5, True, 50, 1e-4, 5) for _ in range(2))
    for loss in (0.7, 0.6, 0.65):
        going.update(loss)
    anew.restore(decode_checkpoint(encode_checkpoint(checkpoint), "it").schedule)
    for loss in (0.64, 0.6, 0.9):
        assert going.update(loss) == anew.update(loss)
        assert going.at(5.5) == anew.at(5.5)
    assert going == anew


@pytest.mark.parametrize("place", [0, 5, 30, 200, -3, -30])
def test_a_flipped_bit_is_noticed(checkpoint, place):
    data = bytearray(encode_checkpoint(checkpoint))
    data[place] ^= 4
    try:
        found = decode_checkpoint(data, "it")
    except StoreError as error:
        assert "it: " in str(error)
    else:  # a digit of the JSON text
        assert place in (30, 200), found


@pytest.mark.parametrize("length", [0, 7, 50, -1])
def test_a_cut_is_noticed(checkpoint, length):
    with pytest.raises(StoreError, match="^it: not a whole checkpoint"):
        decode_checkpoint(encode_checkpoint(checkpoint)[:length], "it")


def test_another_version_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(_checkpoint, "VERSION", 2)
    data = encode_checkpoint(checkpoint)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="version 2, this program reads .* version 1"):
        decode_checkpoint(data, "it")
    with pytest.raises(StoreError, match="not a whole checkpoint"):
        decode_checkpoint(save({"weights": np.ones(3)}), "it")


def test_two_are_kept(checkpoint, tmp_path):
    store = open_store(tmp_path.as_uri())
    mine = Checkpoints(store, "abc", 0.0, keep=False)
    assert mine.last() is None and mine.due()
    for epoch in range(4):
        mine.put(dataclasses.replace(checkpoint, epoch=epoch))
        assert mine.last().epoch == epoch
    names = [f"runs/abc/checkpoint-{number:06d}.safetensors" for number in (3, 4)]
    assert store.list() == names
    assert runs_with_checkpoints(store) == ["abc"]
    store.put(names[1], b"garbage")
    assert mine.last().epoch == 2
    store.put(names[0], b"")
    with pytest.raises(StoreError, match="not a whole checkpoint"):
        mine.last()


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_what_stays_after_the_end(checkpoint, keep, error):
    store = MemoryStore()
    mine = Checkpoints(store, "abc", 0.0, keep)
    store.put("runs/abc/train-000000.safetensors", b"a block")
    mine.put(checkpoint)
    mine.clean_up(error)
    assert len(store.list()) == (keep and error is not None)


def test_never_is_never_due():
    assert not Checkpoints(MemoryStore(), "abc", None, False).due()
    assert not Checkpoints(MemoryStore(), "abc", 1000.0, False).due()


def test_the_state_is_json(checkpoint):
    data = encode_checkpoint(checkpoint)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    state = json.loads(header["__metadata__"]["state"])
    assert state["epoch"] == 3 and len(state["reports"]) == 2
