"""``n_workers="auto"``: more workers while they are worth their price, and no longer."""

import logging

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus._growth import Growth
from sklearn_cirrus.config import stage_report
from sklearn_cirrus.workers.local import LocalBackend


def simulate(growth, rate_of, seconds=1000.0, start_seconds=5.0):
    """Let workers send reports of 100 rows, at the rate that n of them reach together."""
    now, n, ready = 0.0, growth.wanted, growth.wanted
    turn = 0
    ready_at = 0.0
    while now < seconds and growth.reason is None:
        if growth.wanted > n:
            n, ready_at = growth.wanted, now + start_seconds
        if now >= ready_at:
            ready = n
        now += 100 / rate_of(ready)
        turn += 1
        growth.note(turn % ready, 100, now)
    return growth


def test_workers_are_added_as_long_as_each_brings_as_much():
    growth = simulate(Growth("r", 20), lambda n: 1000.0 * n)
    assert growth.wanted == 20
    assert growth.reason == "these are all that it may have, or that there are blocks for"


@pytest.mark.parametrize(
    ("rate_of", "wanted"),
    [
        (lambda n: 1000.0 * min(n, 2), 3),  # the third one brought nothing
        (lambda n: 1000.0 * min(n, 6), 9),  # 2, 3, 4 and 6 were worth it, 9 were not
        (lambda n: 1000.0, 3),
        (lambda n: 1000.0 * n**0.5, 3),  # 0.32 more, and each of the first brought 0.71
        (lambda n: 1000.0 * n**0.8, 28),
        (lambda n: 1000.0 / n, 3),
    ],
)
def test_the_first_that_are_not_worth_their_price_are_the_last(rate_of, wanted):
    growth = simulate(Growth("r", 100), rate_of)
    assert growth.wanted == wanted
    assert "for the same price, less than 50%" in growth.reason


def test_the_log_says_why(caplog):
    with caplog.at_level(logging.INFO, "sklearn_cirrus"):
        simulate(Growth("r", 100), lambda n: 1000.0 * min(n, 2))
    grown, stopped = caplog.messages
    assert grown == "run r: 2 workers do 2,000 rows/s; 3 from now on"
    assert stopped == (
        "run r stays at 3 workers: 1 more brought 0 rows/s to 2,000: 0% of what the first ones "
        "bring for the same price, less than 50%"
    )


def test_the_time_that_workers_take_to_start_does_not_count():
    for start_seconds in (0.0, 50.0):
        growth = Growth("r", 3)
        simulate(growth, lambda n: 1000.0 * n, start_seconds=start_seconds)
        assert growth.wanted == 3 and "all that it may have" in growth.reason


def test_one_worker_at_most():
    growth = simulate(Growth("r", 1), lambda n: 1000.0)
    assert growth.wanted == 1 and "all that it may have" in growth.reason


def test_nothing_is_decided_before_all_have_sent_reports():
    growth = Growth("r", 10)
    for i in range(1000):
        growth.note(0, 100, float(i))
    assert growth.wanted == 2 and growth.reason is None


def test_a_run_grows(monkeypatch, caplog):
    """From one worker to two, which are always worth it here."""
    monkeypatch.setattr("sklearn_cirrus._growth._WORTH", -np.inf)
    monkeypatch.setattr("sklearn_cirrus._growth.FIRST", 1)
    monkeypatch.setattr(LocalBackend, "most_workers", 2)
    random = np.random.default_rng(0)
    X = random.normal(size=(12_000, 10)).astype(np.float32)
    y = (X[:, 0] + random.normal(size=len(X)) > 0).astype(int)
    model = CirrusLogisticRegression(
        max_iter=40, tol=None, n_workers="auto", random_state=0, batch_size=200
    )
    with config_context(block_bytes=30_000):
        clone(model).set_params(n_workers=2, max_iter=1).fit(X, y)  # the processes are there now
    stage_report(reset=True)
    with config_context(block_bytes=30_000), caplog.at_level(logging.INFO, "sklearn_cirrus"):
        model.fit(X, y)
    assert max(epoch["workers"] for epoch in model.history_) == 2
    assert stage_report()["training"].n_workers == 2
    assert any("2 from now on" in message for message in caplog.messages)
    assert model.score(X, y) > 0.75


def test_inline_has_one():
    with config_context(backend="inline", n_workers="auto"):
        CirrusLogisticRegression(max_iter=2, tol=None).fit(np.eye(4), [0, 1, 0, 1])
