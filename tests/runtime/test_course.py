"""Epochs that a worker goes through by itself come out as if the trainer had posted each."""

import itertools
import json
import time
from dataclasses import replace

import numpy as np
import pytest

from cirrus_runtime import worker
from cirrus_runtime.course import Course, Penalty
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease, Report, decode, encode
from cirrus_runtime.schedule import Schedule
from cirrus_runtime.server import ModelSpec
from sklearn_cirrus._rounds import train_leases

from .logistic_oracle import random_block
from .worker_run import SOON, D, Run

KEYS = RunKeys("course")
SPEC = ModelSpec(D + 1, 3, "adagrad", D, l1=0.01, l2=0.02, eps=0.01)
NO_PENALTY = Penalty(D, 0.0, 0.0)


def schedule(**parameters):
    settings = {"rate": 0.3, "adaptive": True, "max_iter": 60, "tol": 1e-3, "patience": 2}
    return Schedule(**settings | parameters)


def report_of(lease, loss, penalty=0.0):
    return Report(lease.number, "train", lease.epoch, 0, 0, weight=4.0, loss=loss, penalty=penalty)


def posted(lease):
    """Return a lease as it arrives by way of the board."""
    return decode(Lease, encode(lease))


@pytest.mark.parametrize(
    "parameters",
    [{}, {"tol": None, "adaptive": False}, {"max_iter": 1}, {"max_iter": 1, "constant": True}],
    ids=["stalls", "all epochs", "one", "partial_fit"],
)
@pytest.mark.parametrize("hold", [1, 3, 1000])
def test_the_leases_are_those_of_the_trainer(parameters, hold):
    rng = np.random.default_rng(0)
    trainer, state = schedule(**parameters), schedule(**parameters)
    (lease,) = train_leases(KEYS, 1, 0, state, 0)
    lease = posted(Course(state, NO_PENALTY).lease(lease))
    course = Course.of(lease.course)
    for epoch in itertools.count():
        (expected,) = train_leases(KEYS, 1, epoch, trainer, 0)
        assert replace(lease, course=None) == replace(expected, number=epoch)
        loss, penalty = 0.99**epoch + 0.02 * rng.random(), 0.1 * rng.random()
        lease = course.after(lease, report_of(lease, loss, penalty))
        assert (lease is not None) == trainer.update(loss / 4 + penalty)
        if lease is None:
            break
        if epoch % hold == 0:  # the worker posts it, and perhaps another one takes it
            lease = posted(course.lease(lease))
            course = Course.of(lease.course)
    assert course.schedule.state() == trainer.state()
    assert epoch + 1 == trainer.end
    if not parameters:
        assert trainer.stalled and trainer.end < 60


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_nothing_follows_an_epoch_that_diverged(loss):
    course = Course(schedule(), NO_PENALTY)
    (lease,) = train_leases(KEYS, 1, 0, course.schedule, 0)
    assert course.after(lease, report_of(lease, loss)) is None


def test_the_penalty_is_that_of_the_definition(random):
    w = random.standard_normal((D + 1, 3)).astype(np.float32)
    inner = w[:D].astype(float)
    expected = 0.01 * np.abs(inner).sum() + 0.02 / 2 * (inner**2).sum()
    assert Penalty.of(SPEC)(w) == Penalty.of(SPEC)(w[:D]) == pytest.approx(expected, rel=1e-12)
    assert Penalty.of(SPEC) and not NO_PENALTY
    assert NO_PENALTY(np.full((D, 3), np.nan)) == 0.0
    json.dumps(Penalty.of(SPEC)(w))


def test_a_report_has_the_penalty_beside_all_else():
    report = replace(report_of(Lease(3, "train", 2, 0, "name"), 1 / 3, 1 / 7), error="é", body=b"1")
    assert decode(Report, encode(report), b"1") == report


# --- a worker ---------------------------------------------------------------------------------


def begin(run, block, **parameters):
    """Make the model; return the first lease of a course over the block."""
    run.model.create(SPEC)
    (name,) = run.put(block)
    plan = schedule(**parameters)
    lease = Lease(5, "train", 0, 0, name, plan.at(0.0), plan.at(1.0))
    return Course(plan, Penalty.of(SPEC)).lease(lease)


def one_by_one(run, lease):
    """Offer the epochs of a course one after the other, as leases without one."""
    run.start(width=3, prefetch=False)
    course, lease = Course.of(lease.course), replace(lease, course=None)
    while lease is not None:
        run.board.offer([lease])
        (report,) = run.collect(1)
        yield (report := replace(report, penalty=course.penalty(run.model.dump())))
        lease = course.after(lease, report)


def essence(report):
    """Return of a report what does not depend on time."""
    return replace(report, localize=0.0, compute=0.0, server=0.0, load=0.0, wait=0.0)


@pytest.mark.parametrize("hold", [-1.0, 0.02, 60.0])
def test_a_worker_goes_through_all_epochs(run, random, monkeypatch, tmp_path, hold):
    monkeypatch.setattr(worker, "_HOLD_SECONDS", hold)
    block, alone = random_block(random, 60, D, 3, weights=True), Run(None, tmp_path)
    expected = list(map(essence, one_by_one(alone, begin(alone, block, tol=0.05))))
    weights = alone.model.dump()
    alone.close()
    run.board.offer([begin(run, block, tol=0.05)])
    result = run.start(width=3, prefetch=False)
    assert list(map(essence, run.collect(len(expected)))) == expected
    np.testing.assert_array_equal(run.model.dump(), weights)
    assert run.board.count() == 0
    run.end()
    rows = 60 * len(expected)
    assert result.result(SOON) == {"reason": "ended", "rows": rows, "updates": rows // 15}
    assert 10 < len(expected) < 60 and np.abs(weights).max() > 0.1


def test_the_board_has_the_lease_to_go_on_from(run, random, monkeypatch):
    """Whenever a worker dies, another goes on after the last epoch that was reported."""
    monkeypatch.setattr(worker, "_HOLD_SECONDS", -1.0)  # every epoch is reported at once
    run.board.offer([begin(run, random_block(random, 60, D, 3), tol=None)])
    taken = []
    finish = type(run.board).finish

    def note(board, token, *reports, then=None):
        taken.append((board.count(), [report.number for report in reports], then))
        finish(board, token, *reports, then=then)

    monkeypatch.setattr(type(run.board), "finish", note)
    run.start(width=3, prefetch=False)
    run.collect(60)
    assert [count for count, _, _ in taken] == [1] * 60
    for (_, before, then), (_, after, _) in itertools.pairwise(taken):
        assert then.number == before[-1] + 1 == after[0]
        assert Course.of(then.course).schedule.end == 60
    assert taken[-1][2] is None


def test_a_deadline_in_the_middle_of_a_course(inline_run, random):
    run = inline_run
    run.board.offer([begin(run, random_block(random, 60, D, 3), tol=None, max_iter=10**6)])
    deadline = time.time() + 2.1  # 0.1 s before no more work is taken
    result = run.start(width=3, prefetch=False, deadline=deadline).result(SOON)
    assert result["reason"] == "deadline" and time.time() < deadline
    reports = run.board.collect(0.0)
    epochs = len(reports)
    assert [report.number for report in reports] == list(range(5, 5 + epochs))
    assert result["rows"] == 60 * epochs > 0
    _, lease = run.board.take(0.0)
    assert (lease.number, lease.epoch) == (5 + epochs, epochs)
    assert Course.of(lease.course).schedule.at(epochs) == lease.lr
    assert run.model.info()["steps"] == 4 * epochs


def test_a_cut_in_the_middle_of_an_epoch_of_a_course(inline_run, random, monkeypatch):
    run = inline_run
    monkeypatch.setattr(worker, "_HOLD_SECONDS", 60.0)
    lease = begin(run, random_block(random, 60, D, 3), tol=None)
    step, steps = run.engine.step, itertools.count(1)
    deadline = time.time() + 2.3

    def slow(*arguments):
        if next(steps) == 11:  # in the third epoch
            time.sleep(max(0.0, deadline - 0.95 - time.time()))
        return step(*arguments)

    monkeypatch.setattr(run.engine, "step", slow)
    run.board.offer([lease])
    result = run.start(width=3, prefetch=False, deadline=deadline).result(SOON)
    assert result == {"reason": "deadline", "rows": 120, "updates": 8}
    assert [report.number for report in run.board.collect(0.0)] == [5, 6]
    assert run.board.take(0.0)[1].number == 7
