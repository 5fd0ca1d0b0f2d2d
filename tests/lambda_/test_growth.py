"""``n_workers="auto"`` on the emulated Lambda: workers are added, and the log says why no more."""

import logging
import re

import numpy as np
import pytest

from sklearn_cirrus.config import stage_report
from sklearn_cirrus.workers.aws_lambda import LambdaBackend

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("worth", "n_workers", "reason"),
    [
        (-np.inf, 4, "these are all that it may have"),
        (np.inf, 3, "1 more brought .* rows/s to .*: .* of what the first ones bring"),
    ],
    ids=["worth it", "not worth it"],
)
def test_a_run_grows_by_invocations(fit, emulator, monkeypatch, caplog, worth, n_workers, reason):
    monkeypatch.setattr("sklearn_cirrus._growth._WORTH", worth)
    monkeypatch.setattr(LambdaBackend, "most_workers", 4)
    seen = len(emulator.invocations())
    stage_report(reset=True)
    with caplog.at_level(logging.INFO, "sklearn_cirrus"):
        model = fit(n_workers="auto", lease_seconds=10.0)
    assert {entry["rows"] for entry in model.history_} == {6000}
    started = [message for message in caplog.messages if "from now on" in message]
    assert len(started) == n_workers - 2 and "2 workers do" in started[0]
    (stayed,) = [
        message for message in caplog.messages if f"stays at {n_workers} workers" in message
    ]
    assert re.search(reason, stayed)
    assert len(emulator.invocations()[seen:]) == n_workers
    assert max(entry["workers"] for entry in model.history_) == n_workers
    assert stage_report()["training"].n_workers == n_workers
