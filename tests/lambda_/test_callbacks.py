"""Callbacks of scikit-learn in a search on the emulated Lambda: what they see is told here.

A function here could reach this process's sockets, as it could not on AWS: what tells them apart
is that no event has the key to one.
"""

import base64
import json

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from sklearn_cirrus.joblib_backend import last_usage

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has them since 1.9")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def model(*callbacks):
    return LogisticRegression(max_iter=5).set_callbacks(*callbacks)


def search(estimator):
    return GridSearchCV(estimator, {"C": [0.1, 10.0]}, cv=2, error_score="raise").fit(X, y)


def rounded(log):
    """Return a log with numbers as far as they are the same with any BLAS."""
    return [
        {key: round(item, 9) if isinstance(item, float) else item for key, item in row.items()}
        for row in log
    ]


def test_monitors_see_what_they_see_here(tasks, events):
    monitors = [callback.ScoringMonitor(scoring=name) for name in ("accuracy", "neg_log_loss")]
    tasks.faults.kill(after=0.0)  # what a lost attempt has told is not told twice
    search(model(*monitors))
    assert last_usage().lost == 1
    there = [monitor.get_logs().data for monitor in monitors]
    with joblib.parallel_config("sequential"):
        search(model(*monitors))
    here = [monitor.get_logs().data for monitor in monitors]
    assert list(map(rounded, there)) == list(map(rounded, here))
    assert all(len(log) > 4 for log in there)
    bodies = b"".join(base64.b64decode(json.loads(event)["body"]) for event in events)
    for monitor in monitors:
        assert monitor._listener_handle.address.encode() in bodies
        assert monitor._listener_handle.authkey not in bodies


def test_an_estimator_that_comes_back_can_be_fitted_here(tasks):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    found = cross_validate(model(monitor), X, y, cv=2, return_estimator=True)
    n_rows = len(monitor.get_logs(select="all")[0].data)
    for estimator in found["estimator"]:
        assert estimator.fit(X, y).predict(X).shape == y.shape
    assert n_rows and len(monitor.get_logs(select="all")[0].data) == n_rows


def test_a_progress_bar_goes_to_its_end(tasks, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")  # or rich cuts its lines
    bar = callback.ProgressBar(None)
    GridSearchCV(model(), {"C": [0.1, 10.0]}, cv=2).set_callbacks(bar).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    bars = [line for line in lines if "GridSearchCV - fit" in line or "LogisticRegression" in line]
    assert len(bars) >= 1 + 4 and all("100%" in line for line in bars)
