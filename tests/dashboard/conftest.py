"""Journals to look at, and a dashboard that shows them."""

import json
import math

import pytest

from sklearn_cirrus.dashboard import _record, start_dashboard

START = {
    "event": "start",
    "version": 1,
    "kind": "run",
    "id": "a1",
    "time": 1.7e9,
    "estimator": "CirrusLogisticRegression",
    "params": {"C": 2.0},
    "settings": {"backend": "lambda", "n_workers": 4},
    "rows": 1000,
    "max_iter": 100,
    "search": None,
}


def epoch(number, **others):
    """An epoch of a run that takes two seconds, 1000 rows, 10 updates and a cent for each."""
    return {
        "event": "epoch",
        "epoch": number,
        "seconds": 2.0 * number,
        "train_loss": 1.0 / number,
        "rows": 1000 * number,
        "updates": 10,
        "cost": 0.01 * number,
        **others,
    }


def lines_of(events):
    """Events as the lines of a journal."""
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.fixture
def write(tmp_path):
    """Write a journal, or more of one: ``write(name, *events)``; returns its path."""

    def write(name, *events):
        path = tmp_path / f"{name}.jsonl"
        with open(path, "a") as file:
            file.write(lines_of(events))
        return path

    return write


@pytest.fixture
def dashboard(tmp_path, monkeypatch):
    """A dashboard that holds the journals of a test, which no process writes, to be written on."""
    monkeypatch.setattr(_record, "_SILENCE_SECONDS", math.inf)
    for name in ("starlette", "uvicorn"):
        pytest.importorskip(name, reason="the extra dashboard is not installed")
    with start_dashboard(tmp_path) as server:
        yield server
