"""The learning rate over a fit, and when it stops."""

import itertools

import pytest

from cirrus_runtime.schedule import Schedule


def schedule(**parameters):
    """Return a schedule of 100 epochs at rate 1 that does not adapt."""
    settings = dict(rate=1.0, adaptive=False, max_iter=100, tol=1e-4, patience=5)
    return Schedule(**settings | parameters)


def run(plan, objectives):
    """Feed objectives until the schedule stops; return the number of epochs."""
    for epochs, objective in enumerate(objectives, 1):
        if not plan.update(objective):
            return epochs
    raise AssertionError("the objectives ran out first")


def falling(factor=0.9):
    """Objectives that always improve by the same share."""
    return (factor**epoch for epoch in itertools.count())


def test_warm_hold_cool():
    plan = schedule(tol=None)
    rates = [plan.at(epoch) for epoch in range(101)]
    assert 0 < rates[0] < 0.02  # a first minibatch moves little, and not nothing
    assert rates[1] == pytest.approx(1.02 / 3)
    assert rates[3:71] == [1.0] * 68
    assert rates[85] == pytest.approx(0.5)
    assert rates[100] == 0.0
    assert rates[:4] == sorted(rates[:4])
    assert rates[70:] == sorted(rates[70:], reverse=True)
    # linear: every step of cooling is as large
    steps = [a - b for a, b in itertools.pairwise(rates[70:])]
    assert max(steps) == pytest.approx(min(steps))


def test_the_rate_is_continuous():
    plan = schedule(tol=None)
    moments = [plan.at(i / 100) for i in range(10_001)]
    assert max(abs(a - b) for a, b in itertools.pairwise(moments)) < 0.01


def test_the_rate_scales():
    one, small = schedule(), schedule(rate=0.02)
    assert all(small.at(e) == pytest.approx(0.02 * one.at(e)) for e in range(101))


@pytest.mark.parametrize("max_iter", [1, 2, 3, 10, 37])
def test_short_fits_warm_up_and_cool_as_well(max_iter):
    plan = schedule(max_iter=max_iter, tol=None)
    assert max(plan.at(max_iter * i / 100) for i in range(101)) == pytest.approx(1.0)
    assert plan.at(0) < 0.3
    assert plan.at(max_iter) == 0.0
    assert run(plan, falling()) == max_iter


@pytest.mark.parametrize("max_iter", [1, 5, 60, 100])
def test_max_iter_is_respected_whatever_comes(max_iter):
    for objectives in (falling(), itertools.repeat(1.0), itertools.count(), itertools.repeat(0.0)):
        assert run(schedule(max_iter=max_iter), objectives) <= max_iter


def test_a_level_objective_stops_early_after_cooling():
    plan = schedule()
    rates = []
    for epoch in itertools.count():
        rates.append(plan.at(epoch))
        if not plan.update(1.0):
            break
    assert plan.stalled and plan.converged
    assert 20 < len(rates) <= 50
    assert plan.end == len(rates)
    assert plan.at(len(rates)) == 0.0
    assert rates.count(1.0) >= 15


def test_an_improving_objective_does_not_stop():
    plan = schedule()
    assert run(plan, falling(0.95)) == 100
    assert not plan.stalled and not plan.converged


def test_slow_improvement_counts_by_tol():
    slowly = [1 - 1e-5 * epoch for epoch in range(200)]
    assert run(schedule(tol=1e-3), slowly) < 60
    strict = schedule(tol=1e-7)
    assert run(strict, slowly) == 100 and not strict.stalled


def test_single_jumps_do_not_stop_or_keep_going():
    jumping = [1.0 if epoch % 7 else 3.0 for epoch in range(200)]
    assert run(schedule(), jumping) < 60
    improving = [0.95**epoch * (1 if epoch % 7 else 2) for epoch in range(200)]
    assert run(schedule(), improving) == 100


def test_more_patience_waits_longer():
    ends = [run(schedule(patience=patience), itertools.repeat(1.0)) for patience in (1, 3, 8)]
    assert ends == sorted(set(ends))


def test_no_tol_runs_all_epochs_and_is_content():
    for max_iter in (1, 2, 3, 30):
        plan = schedule(tol=None, max_iter=max_iter)
        assert run(plan, itertools.repeat(1.0)) == max_iter
        assert plan.converged and not plan.stalled


def test_a_constant_schedule_has_one_rate():
    plan = schedule(constant=True, max_iter=1, rate=0.3)
    assert {plan.at(i / 10) for i in range(11)} == {0.3}
    assert plan.update(1.0) is False


def test_an_adaptive_rate_grows_to_twice_and_no_further():
    plan = schedule(adaptive=True)
    for objective in itertools.islice(falling(0.99), 60):
        plan.update(objective)
    assert plan.at(61) == pytest.approx(2.0)


def test_an_adaptive_rate_steps_back_after_jumps():
    plan = schedule(adaptive=True, tol=None)
    plan.update(1.0)
    for _ in range(10):
        plan.update(5.0)
    assert 0.1 <= plan.at(12) == pytest.approx(0.9**10)
    for _ in range(50):
        plan.update(5.0)
    assert plan.at(65) == pytest.approx(0.1)


def test_a_given_rate_is_kept():
    plan = schedule(tol=None)
    for objective in (1.0, 0.5, 9.0, 9.0, 0.1):
        plan.update(objective)
    assert plan.at(6) == 1.0
