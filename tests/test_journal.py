"""What runs and searches write down, what they do when they are told, and what bounds it."""

import json
import logging
import os
import stat
import threading

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import (
    CirrusLogisticRegression,
    CirrusMatrixFactorization,
    config_context,
)
from sklearn_cirrus import _journal as journal_module
from sklearn_cirrus._journal import command, journal_folder
from sklearn_cirrus._run_journal import RunJournal
from sklearn_cirrus.exceptions import ConfigurationError, DivergenceError
from sklearn_cirrus.model_selection import CirrusSearchCV

from .journals import SECONDS, events_of, wait_for

LONG = {"max_iter": 10**6, "tol": None, "random_state": 0, "backend": "inline"}


@pytest.fixture
def folder(tmp_path):
    """A folder for journals, in force for the fits of the test."""
    with config_context(journal=str(tmp_path / "runs")):
        yield tmp_path / "runs"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, (X[:, 0] + rng.normal(size=300) > 0).astype(int)


def journal_with(folder, event):
    """The first journal with such an event, as soon as there is one."""

    def look():
        for path in sorted(folder.glob("*.jsonl")):
            if f'"event":"{event}"' in path.read_text():
                return path

    return wait_for(look)


def in_thread(call):
    """Call in a thread with this thread's settings and warnings kept; return (thread, results)."""
    from contextvars import copy_context

    results = []

    def run():
        with pytest.warns(ConvergenceWarning) as caught:
            results.append(call())
        results.append([str(warning.message) for warning in caught])

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    return thread, results


def test_a_fit_writes_its_history_down(folder, data):
    clf = CirrusLogisticRegression(backend="inline", random_state=0, early_stopping=True)
    clf.fit(*data)
    (path,) = folder.iterdir()
    start, *_, end = events = events_of(path)
    assert (start["event"], start["kind"], start["version"]) == ("start", "run", 1)
    assert start["estimator"] == "CirrusLogisticRegression"
    assert start["params"] == clf.get_params()
    assert start["settings"]["backend"] == "inline" and start["rows"] == 270
    epochs = [event for event in events if event["event"] == "epoch"]
    for name in ("epoch", "train_loss", "valid_loss", "objective", "seconds", "updates"):
        assert [event[name] for event in epochs] == [entry[name] for entry in clf.history_]
    assert [event["rows"] for event in epochs] == [270 * (i + 1) for i in range(clf.n_iter_)]
    assert (end["event"], end["reason"], end["error"]) == ("end", "done", None)


def test_only_the_user_may_read_it(folder, data):
    CirrusLogisticRegression(backend="inline").fit(*data)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert journal_folder() == tmp_path / "sklearn-cirrus" / "runs"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # which the specification has ignored
    monkeypatch.setenv("HOME", str(tmp_path))
    assert journal_folder("auto") == tmp_path / ".local" / "state" / "sklearn-cirrus" / "runs"
    assert journal_folder("~/runs") == tmp_path / "runs"
    assert journal_folder("off") is None


def test_off_writes_nothing(folder, data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with config_context(journal="off"):
        CirrusLogisticRegression(backend="inline").fit(*data)
        CirrusSearchCV(
            CirrusLogisticRegression(backend="inline", max_iter=2, tol=None), {"C": [1.0]}, cv=2
        ).fit(*data)
    assert list(tmp_path.iterdir()) == []


def test_a_dashboard_without_journals_is_refused():
    with pytest.raises(ConfigurationError, match="journal"):
        with config_context(journal="off", dashboard=True):
            pass


def test_a_folder_that_cannot_be_made_fails_no_fit(data, tmp_path, caplog):
    (tmp_path / "file").touch()
    with config_context(journal=str(tmp_path / "file" / "runs")):
        clf = CirrusLogisticRegression(backend="inline").fit(*data)
    assert clf.n_iter_ > 0
    (record,) = [r for r in caplog.records if "no journal" in r.message]
    assert record.levelno == logging.WARNING


def test_a_disk_that_fills_up_ends_the_journal_only(folder, data, monkeypatch):
    real = os.write

    def full(descriptor, text):
        if b'"end"' in text:
            raise OSError(28, "No space left on device")
        return real(descriptor, text)

    monkeypatch.setattr(journal_module.os, "write", full)
    assert CirrusLogisticRegression(backend="inline").fit(*data).n_iter_ > 0


def test_why_a_run_has_ended(folder, data):
    X, y = data
    clf = CirrusLogisticRegression(
        backend="inline", solver="sgd", learning_rate=9e8, C=np.inf, random_state=0
    )
    with pytest.raises(DivergenceError, match="diverged"):
        clf.fit(X * 1e29, y)
    end = events_of(*folder.iterdir())[-1]
    assert end["reason"] == "failed" and end["error"].startswith("DivergenceError: training div")


def ratings():
    rng = np.random.default_rng(0)
    return csr_matrix(rng.integers(1, 6, (40, 20)) * (rng.random((40, 20)) < 0.5) * 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CirrusLogisticRegression(**LONG),
        lambda: CirrusLogisticRegression(**LONG, early_stopping=True),
        lambda: CirrusMatrixFactorization(**LONG, n_components=2),
        lambda: CirrusMatrixFactorization(**LONG, n_components=2, solver="als"),
    ],
    ids=["alone", "held-out", "factorization", "als"],
)
def test_a_run_that_is_stopped_keeps_what_it_has_learnt(folder, data, make):
    estimator = make()
    fit_data = (ratings(),) if isinstance(estimator, CirrusMatrixFactorization) else data
    thread, results = in_thread(lambda: estimator.fit(*fit_data))
    path = journal_with(folder, "epoch")
    command(folder, path.stem, command="nonsense")
    command(folder, path.stem, command="stop")
    thread.join(SECONDS)
    assert results[0] is estimator and 0 < estimator.n_iter_ < 10**6
    assert any("was stopped from the dashboard, after" in text for text in results[1])
    assert events_of(path)[-1]["reason"] == "stopped"
    assert list(folder.iterdir()) == [path]  # the commands are gone


def test_an_exact_fit_that_is_stopped_keeps_its_last_iterate(folder, data, monkeypatch):
    from sklearn_cirrus._outcome import CutShort

    asked = []

    def stop(self, rows, entry):
        if entry is None and len(asked) > 4:
            raise CutShort("The fit was stopped from the dashboard")
        asked.append(entry)

    monkeypatch.setattr(RunJournal, "__call__", stop)
    clf = CirrusLogisticRegression(backend="inline", solver="lbfgs", tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="was stopped from the dashboard, after"):
        clf.fit(*data)
    assert 0 < clf.n_iter_ < 5 and clf.score(*data) > 0.6


def test_a_search_tells_of_its_candidates_and_obeys(folder, data):
    search = CirrusSearchCV(CirrusLogisticRegression(**LONG), {"C": [0.01, 1.0]}, cv=2, refit=False)
    thread, results = in_thread(lambda: [search.fit(*data), warn()])
    path = journal_with(folder, "standing")

    def beginning_of_a_part():  # whole: what comes behind it may be half written
        for other in folder.glob("*.jsonl"):
            line, end, _ = other.read_text().partition("\n")
            if other != path and end:
                return json.loads(line)

    assert wait_for(beginning_of_a_part)["search"] == path.stem
    command(folder, path.stem, command="add", param_grid={"C": [30.0]})
    command(folder, path.stem, command="add", param_grid={"Z": [30.0]})
    command(folder, path.stem, command="drop", candidates=[0])

    def done():
        text = path.read_text()
        return '"refused"' in text and '"dropped"' in text and "[2," in text

    wait_for(done)
    command(folder, path.stem, command="stop")
    thread.join(SECONDS)
    events = events_of(path)
    start, end = events[0], events[-1]
    assert (start["kind"], start["splits"]) == ("search", 2)
    assert start["candidate"]["estimator"] == "CirrusLogisticRegression"
    params = [p for event in events if event["event"] == "candidates" for p in event["params"]]
    assert params == search.cv_results_["params"] == [{"C": 0.01}, {"C": 1.0}, {"C": 30.0}]
    (refused,) = [event for event in events if event["event"] == "refused"]
    assert "Z" in refused["what"]
    standing = {}
    for event in events:
        if event["event"] == "standing":
            standing.update({row[0]: row[1:] for row in event["candidates"]})
    names = ("epochs", "held_out_loss", "train_loss", "status")
    assert standing == {
        row["candidate"]: [row[name] for name in names] for row in search.leaderboard_
    }
    assert end["reason"] == "stopped"


def warn():
    """Warn as a fit that is stopped does; a search that is stopped has no need to."""
    import warnings

    warnings.warn("nothing", ConvergenceWarning, stacklevel=1)
