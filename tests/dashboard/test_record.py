"""What is read of a journal: whole or in pieces, damaged, of a process that is gone."""

import json
import time
from array import array

import numpy as np
import pytest

from sklearn_cirrus._journal import Journal
from sklearn_cirrus.dashboard import _record
from sklearn_cirrus.dashboard._curves import curves_of
from sklearn_cirrus.dashboard._record import Record
from sklearn_cirrus.dashboard._records import Records

from .conftest import START, epoch, lines_of

END = {"event": "end", "reason": "done", "error": None, "seconds": 21.0, "cost": 0.1}


def read(path):
    """A record that has read all that is there."""
    record = Record(path)
    assert record.refresh(path.stat().st_size, time.monotonic() + 10)
    return record


def test_a_run_that_goes_on(write):
    state = {"event": "state", "seconds": 20.5, "rows": 10_100, "cost": 0.1025, "working": 3}
    state |= {"starting": 1, "waiting": 0, "cold_starts": 5, "relaunches": 1, "memory": 4096}
    path = write("1-a1", START, *map(epoch, range(1, 11)), state | {"faults": ["worker 3: died"]})
    summary = read(path).summary()
    assert summary["status"] == "running" and summary["epoch"] == 10
    assert summary["rows_per_second"] == pytest.approx(500)
    assert summary["updates_per_second"] == pytest.approx(5)
    assert summary["cost_per_second"] == pytest.approx(0.005)
    assert summary["cost"] == 0.1025 and summary["seconds"] == 20.5
    assert summary["left"] == pytest.approx(90 * 2.0)
    assert summary["forecast"] == pytest.approx(0.1025 + 90 * 2.0 * 0.005)
    assert summary["workers"] == {"working": 3, "starting": 1, "waiting": 0}
    assert summary["faults"] == ["worker 3: died"] and summary["memory"] == 4096


def test_a_run_tells_of_its_server(write):
    state = {"event": "state", "seconds": 3.0, "rows": 10, "cost": 0.0, "working": 1, "memory": 9}
    server = {"server_memory": 2048, "server_limit": 4096, "server_ops": 150.0, "server_load": 0.25}
    record = read(write("1-a1", START, state | {"seconds": 1.0}, state | server))
    summary = record.summary()
    assert {name: summary[name] for name in server} == server and summary["memory"] == 9
    assert curves_of(record, "seconds")["server_load"] == [[3.0], [0.25]]
    assert "server_load" not in curves_of(record, "rows")


def call_state(done, **others):
    """A call of 40 tasks, two at a time, that takes half a second and a cent for each."""
    return {
        "event": "state",
        "seconds": 0.5 * done,
        "cost": 0.01 * done,
        "done": done,
        "running": 2,
        "queued": 4,
        "total": 40,
        "working": 1,
        "waiting": 1,
        "starting": 0,
        "bytes": 1000 * done,
        **others,
    }


def test_a_call(write):
    start = {"event": "start", "version": 1, "kind": "call", "id": "c", "estimator": "f"}
    states = map(call_state, range(31))
    path = write("1-c", start, *states, call_state(30, seconds=15.0, faults=["task 3: died"]))
    record = read(path)
    summary = record.summary()
    assert (summary["kind"], summary["status"], summary["seconds"]) == ("call", "running", 15.0)
    assert summary["tasks"] == {"done": 30, "running": 2, "queued": 4, "total": 40}
    assert summary["workers"] == {"working": 1, "starting": 0, "waiting": 1}
    assert summary["tasks_per_second"] == pytest.approx(2.0)
    assert summary["cost_per_second"] == pytest.approx(0.02)
    assert summary["left"] == pytest.approx(5.0) and summary["forecast"] == pytest.approx(0.4)
    assert summary["bytes"] == 30_000 and summary["faults"] == ["task 3: died"]
    for axis, last in (("seconds", 15.0), ("cost", 0.3)):
        x, y = curves_of(record, axis)["done"]
        assert (x[-1], y[-1]) == (pytest.approx(last), 30.0)
    np.testing.assert_allclose(curves_of(record, "cost")["tasks_per_second"][1], 2.0)
    assert curves_of(record, "rows")["done"] == [[], []]


def test_nobody_knows_how_long_a_call_of_unknown_length_takes(write):
    start = {"event": "start", "version": 1, "kind": "call", "id": "c", "estimator": "f"}
    path = write("1-c", start, call_state(0, total=None), call_state(3, total=None))
    summary = read(path).summary()
    assert summary["left"] is summary["forecast"] is None
    assert summary["tasks_per_second"] == pytest.approx(2.0)


def test_a_run_that_has_ended(write):
    summary = read(write("1-a1", START, *map(epoch, range(1, 11)), END)).summary()
    assert (summary["status"], summary["seconds"], summary["cost"]) == ("done", 21.0, 0.1)
    assert summary["forecast"] is None


def test_a_run_without_a_single_epoch(write):
    summary = read(write("1-a1", START)).summary()
    assert json.dumps(summary, allow_nan=False)
    assert summary["train_loss"] is summary["rows_per_second"] is summary["forecast"] is None


def test_it_is_read_in_pieces_of_any_size(tmp_path, monkeypatch):
    text = lines_of([START, *map(epoch, range(1, 30))])
    whole = tmp_path / "1-whole.jsonl"
    whole.write_text(text)
    monkeypatch.setattr(_record, "_CHUNK", 7)
    path = tmp_path / "1-pieces.jsonl"
    record = Record(path)
    for size in range(1, len(text), 61):
        path.write_text(text[:size])
        record.refresh(size, time.monotonic() + 10)
    path.write_text(text)
    record.refresh(len(text), time.monotonic() + 10)
    for name, column in read(whole).epochs.items():
        np.testing.assert_array_equal(record.epochs[name], column)
    assert list(record.epochs["updates"]) == [10.0 * i for i in range(1, 30)]


def test_lines_that_are_none_are_passed_over(tmp_path):
    path = tmp_path / "1-a.jsonl"
    other = '{"event":"of a later version"}\n[1]\n'
    path.write_text(lines_of([START]) + "{broken\n\n" + other + lines_of([epoch(1)]))
    assert read(path).summary()["epoch"] == 1


def test_a_process_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(_record, "_SILENCE_SECONDS", 0.0)
    journal = Journal(tmp_path, "a1")
    journal.write(**START)
    journal.flush()
    (path,) = tmp_path.iterdir()
    record = read(path)
    record.refresh(path.stat().st_size, time.monotonic() + 10)
    assert record.status == "running"
    journal.close()  # as the end of a process does, without a last word
    version = record.version
    record.refresh(path.stat().st_size, time.monotonic() + 10)
    assert record.status == "lost" and record.version > version


def test_curves_against_each_axis(write):
    record = read(write("1-a1", START, *(epoch(i, valid_loss=None) for i in range(1, 1001)), END))
    for axis, last in (("seconds", 2000.0), ("cost", 10.0), ("rows", 1e6)):
        curves = curves_of(record, axis)
        x, y = curves["train_loss"]
        assert len(x) == len(y) == 400 and x[-1] == pytest.approx(last) and y[0] == 1.0
        np.testing.assert_allclose(curves["rows_per_second"][1], 500)
        np.testing.assert_allclose(curves["updates_per_second"][1], 5)
        assert curves["valid_loss"] == [[], []]


def test_speeds_of_epochs_that_came_all_at_once(write):
    record = read(write("1-a1", START, *(epoch(i, seconds=0.05) for i in range(1, 20))))
    x, y = curves_of(record, "seconds")["rows_per_second"]
    assert (x, y) == ([0.05], [19_000 / 0.05])


def test_the_leaderboard(write):
    candidates = {"event": "candidates", "first": 0, "params": [{"C": c} for c in (1, 2, 3)]}
    first = {
        "event": "standing",
        "candidates": [[0, 1, 0.9, 0.8, "done"], [2, 1, None, 1, "x"]],
    }
    second = {"event": "standing", "candidates": [[1, 2, 0.4, 0.3, "done"]]}
    record = read(write("1-s", START | {"kind": "search"}, candidates, first, second))
    assert [(row["candidate"], row["params"]["C"]) for row in record.leaderboard()] == [
        *((1, 2), (0, 1), (2, 3))
    ]


def test_hundreds_of_runs_are_read_a_little_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_cirrus.dashboard._records._PAUSE", 0.0)
    monkeypatch.setattr("sklearn_cirrus.dashboard._records._SECONDS", 0.002)  # a look
    text = lines_of([START, *map(epoch, range(1, 21))])
    for number in range(400):
        (tmp_path / f"{number:03d}-r.jsonl").write_text(text)
    records, known, told = Records(tmp_path), {}, {}  # told: in the order of the first time
    deadline = time.monotonic() + 60
    while len(told) < 400:
        assert time.monotonic() < deadline
        records.refresh()
        changed, _ = records.summaries(known)
        told |= dict.fromkeys(summary["name"] for summary in changed)
    assert list(told) == sorted(told, reverse=True)  # the newest first
    assert records.get("399-r").summary()["epoch"] == 20


def test_a_million_epochs_are_a_few_hundred_points(write):
    record, n = read(write("1-a1", START)), 1_000_000
    for name in record.epochs:
        record.epochs[name] = array("d", np.arange(1.0, n + 1))
    losses = 1.0 / np.arange(1.0, n + 1)
    losses[654_321] = 9.0
    record.epochs["train_loss"] = array("d", losses)
    curves = curves_of(record, "rows")
    x, y = curves["train_loss"]
    assert len(x) == 400 and y[x.index(654_322.0)] == 9.0  # a peak stays
    assert len(curves["rows_per_second"][0]) <= 400 and len(json.dumps(curves)) < 50_000


def test_records_come_and_go_with_their_files(write, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_cirrus.dashboard._records._PAUSE", 0.0)
    records, known = Records(tmp_path), {}
    records.refresh()
    assert records.summaries(known) == ([], [])
    path = write("1-a1", START)
    write("2-b2", START)
    records.refresh()
    changed, names = records.summaries(known)
    assert sorted(names) == ["1-a1", "2-b2"] and len(changed) == 2
    write("2-b2", epoch(1))
    records.refresh()
    changed, names = records.summaries(known)
    assert [summary["name"] for summary in changed] == ["2-b2"] and len(names) == 2
    path.unlink()
    records.refresh()
    assert records.summaries(known) == ([], ["2-b2"])


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    records = Records(tmp_path / "nowhere")
    records.refresh()
    assert records.summaries({}) == ([], [])
