"""Callbacks of scikit-learn in a search: what workers of this machine tell them arrives here."""

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has them since 1.9")

X, y = load_iris(return_X_y=True)
GRID = {"C": [0.1, 1.0, 10.0]}


def monitored(n_candidates=3):
    """Return the log of a search that was monitored."""
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = LogisticRegression(max_iter=5).set_callbacks(monitor)
    GridSearchCV(model, {"C": GRID["C"][:n_candidates]}, cv=2, error_score="raise").fit(X, y)
    return monitor.get_logs().data


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_monitor_sees_what_it_sees_without_workers(cirrus):
    import joblib

    there = monitored()
    with joblib.parallel_config("sequential"):
        here = monitored()
    assert there == here
    assert len(there) > 6
    assert {row["estimator_name"] for row in there} == {"LogisticRegression"}
