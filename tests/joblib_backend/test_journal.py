"""What a call writes down for the dashboard, and how it ends when somebody stops it there."""

import os
import signal
import threading
import time
from contextvars import copy_context

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

from cirrus_runtime.task_format import TASK_VARIABLE
from sklearn_cirrus import config_context, get_config
from sklearn_cirrus._journal import command
from sklearn_cirrus.dashboard._record import Record
from sklearn_cirrus.exceptions import TaskError
from sklearn_cirrus.joblib_backend import last_usage

from ..journals import SECONDS, events_of, wait_for


@pytest.fixture
def folder(tmp_path):
    """A folder for journals, in force for the calls of the test."""
    with config_context(journal=str(tmp_path / "calls")):
        yield tmp_path / "calls"


def events_in(folder):
    """Return the lines of the only journal."""
    (path,) = folder.glob("*.jsonl")
    return events_of(path)


def total(array):
    return float(array.sum())


def fail_at_three(i):
    if i == 3:
        raise KeyError("a secret")


def interrupt(i):
    raise KeyboardInterrupt


def die_once(path):
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)


def wait(path):
    with open(f"{path}-{os.getpid()}", "w"):
        pass
    time.sleep(SECONDS)


def test_a_call_tells_what_it_has_done_and_used(folder, cirrus):
    Parallel()([delayed(total)(np.ones(20_000) * i) for i in range(8)])
    start, *states, last, end = events_in(folder)
    assert (start["event"], start["kind"], start["estimator"]) == ("start", "call", "total")
    assert start["settings"]["backend"] == "local" and start["settings"]["n_workers"] == 2
    assert states[0]["total"] == 8 and states[0]["working"] >= 1
    assert states[0]["done"] + states[0]["running"] + states[0]["queued"] <= 8
    assert [last[name] for name in ("done", "running", "queued", "working")] == [8, 0, 0, 0]
    usage = last_usage()
    assert last["bytes"] == usage.buffer_bytes + usage.call_bytes > 8 * 160_000
    assert last["worker_seconds"] == usage.seconds and last["cost"] == 0.0
    assert (end["event"], end["reason"], end["error"]) == ("end", "done", None)


def test_a_setting_starts_the_dashboard(folder, cirrus, monkeypatch):
    started = []
    monkeypatch.setattr("sklearn_cirrus.dashboard.start_shared", started.append)
    with config_context(dashboard=True):
        Parallel()(delayed(total)(np.ones(1)) for _ in range(3))
    assert started == [folder]


def test_fits_in_tasks_are_part_of_the_call(monkeypatch):
    monkeypatch.setenv(TASK_VARIABLE, "1")
    with config_context(journal="/anywhere", dashboard=True):
        assert (get_config().journal, get_config().dashboard) == ("off", False)


def leaderboard(folder):
    """What the dashboard reads of the candidates."""
    (path,) = folder.glob("*.jsonl")
    record = Record(path)
    record.refresh(path.stat().st_size, time.monotonic() + SECONDS)
    rows = record.leaderboard()
    path.unlink()
    return rows


def test_the_scores_of_a_search_are_those_that_it_finds(folder, cirrus):
    X, y = load_iris(return_X_y=True)
    grid = {"C": [0.01, 0.1, 1.0, 10.0], "tol": [1e-3, 1e-4]}
    model = LogisticRegression(max_iter=300)
    for scoring, metric in ((None, None), (["accuracy", "neg_log_loss"], "accuracy")):
        search = GridSearchCV(model, grid, cv=3, refit=False, scoring=scoring).fit(X, y)
        start, *_, last, end = events = events_in(folder)
        rows = leaderboard(folder)
        assert start["candidate"]["estimator"] == "LogisticRegression"
        assert start["candidate"]["params"]["max_iter"] == 300 and end["reason"] == "done"
        assert {event["total"] for event in events if event["event"] == "state"} == {24}
        assert last["done"] == 24
        column = search.cv_results_[f"mean_test_{metric or 'score'}"]
        assert [row["score"] for row in rows] == pytest.approx(sorted(column, reverse=True))
        for row in rows:
            assert row["params"] == search.cv_results_["params"][row["candidate"]]
            assert row["score"] == pytest.approx(column[row["candidate"]])
            assert (row["splits"], row["metric"]) == (3, metric)


def test_a_halving_search_has_the_candidates_of_all_its_rounds(folder, cirrus):
    grid = {"C": [0.01, 0.1, 1.0, 10.0]}
    search = HalvingGridSearchCV(LogisticRegression(max_iter=300), grid, cv=2, factor=2)
    results = (
        search.set_params(refit=False, random_state=0).fit(*load_iris(return_X_y=True)).cv_results_
    )
    rows = leaderboard(folder)
    assert len(rows) == len(results["params"]) > 4
    for row in rows:
        assert row["params"] == results["params"][row["candidate"]]
        assert row["score"] == pytest.approx(results["mean_test_score"][row["candidate"]])


@pytest.mark.parametrize(
    ("task", "error", "reason", "told"),
    [
        (fail_at_three, KeyError, "failed", "KeyError"),
        (interrupt, KeyboardInterrupt, "interrupted", "KeyboardInterrupt"),
    ],
)
def test_why_a_call_has_failed(folder, cirrus, task, error, reason, told):
    with pytest.raises(error):
        Parallel()(delayed(task)(i) for i in range(6))
    end = events_in(folder)[-1]
    assert (end["event"], end["reason"], end["error"]) == ("end", reason, told)


def test_a_generator_that_is_given_up_is_interrupted(folder, cirrus):
    parallel = Parallel(return_as="generator", batch_size=1)
    results = parallel(delayed(time.sleep)(SECONDS if i else 0.0) for i in range(4))
    next(results)
    with pytest.warns(UserWarning, match="have been cancelled"):
        results.close()
    assert events_in(folder)[-1]["reason"] == "interrupted"


def test_a_lost_worker_is_told_of(folder, cirrus, tmp_path):
    Parallel()(delayed(die_once)(str(tmp_path / "died")) for _ in range(1))
    events = events_in(folder)
    (fault,) = [fault for event in events for fault in event.get("faults", ())]
    assert fault.startswith("task 0: ") and "SIGKILL" in fault
    assert events[-2]["relaunches"] == 1 and events[-1]["reason"] == "done"


def test_a_call_that_is_stopped_raises_once_and_leaves_no_worker(folder, tmp_path):
    raised = []

    def call():
        with joblib.parallel_config("cirrus", n_jobs=2), Parallel() as parallel:
            for _ in range(2):  # what is called in the same block afterwards is stopped, too
                try:
                    parallel(delayed(wait)(str(tmp_path / "pid")) for _ in range(6))
                except TaskError as error:
                    raised.append(str(error))

    thread = threading.Thread(target=copy_context().run, args=(call,), daemon=True)
    thread.start()
    began = wait_for(lambda: [*tmp_path.glob("pid-*")] if folder.exists() else None)
    (path,) = wait_for(lambda: list(folder.glob("*.jsonl")))
    command(folder, path.stem, command="stop")
    thread.join(SECONDS / 2)
    assert not thread.is_alive()
    assert raised == ["the call was stopped from the dashboard"] * 2
    for one in began:
        pid = int(one.name.rpartition("-")[2])
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))
    assert events_in(folder)[-1]["reason"] == "stopped"
    assert list(folder.glob("*.commands")) == []


def test_a_call_runs_where_no_journal_can_be(tmp_path, cirrus, caplog):
    (tmp_path / "file").touch()
    with config_context(journal=str(tmp_path / "file")):
        assert Parallel()(delayed(total)(np.ones(2)) for _ in range(3)) == [2.0] * 3
    assert "no journal of run" in caplog.text


def test_off_writes_nothing(tmp_path, cirrus, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with config_context(journal="off"):
        Parallel()(delayed(total)(np.ones(2)) for _ in range(3))
    assert list(tmp_path.iterdir()) == []
