"""Faults on demand and faults by plan."""

import threading
import time

import pytest

from sklearn_cirrus.emulator import FaultPlan, Faults, _slot

from .service import SLEEP, refusal, wait_until


@pytest.fixture
def sleeping(service):
    """An emulator with a function that sleeps as long as its event says, and is warm."""
    service.create(SLEEP)
    service.result(0)
    return service


def in_background(service, event):
    """Invoke on a thread; give the thread, its result to be, and the slot once it is busy."""
    results = []
    thread = threading.Thread(target=lambda: results.append(service.invoke(event)[0]))
    thread.start()
    slot = wait_until(
        lambda: next((s for s in service.emulator.slots() if s.request_id is not None), None)
    )
    return thread, results, slot


def test_requests_are_throttled_and_failed(sleeping):
    faults, invoke = sleeping.emulator.faults, sleeping.client.invoke
    faults.throttle(2)
    faults.fail()
    faults.fail(status=503)
    assert [refusal(invoke, FunctionName="f", Payload=b"0")[:2] for _ in range(4)] == [
        ("TooManyRequestsException", 429),
        ("TooManyRequestsException", 429),
        ("ServiceException", 500),
        ("ServiceUnavailableException", 503),
    ]
    assert sleeping.result(0) == 0


def test_boto3_retries_what_is_throttled_or_fails(sleeping):
    sleeping.emulator.faults.throttle()
    sleeping.emulator.faults.fail()
    answer = sleeping.retrying().invoke(FunctionName="f", Payload=b"0")
    assert answer["StatusCode"] == 200 and answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_the_slot_of_the_next_invocation_is_killed(sleeping):
    sleeping.emulator.faults.kill(after=0.2)
    begin = time.monotonic()
    kind, message = sleeping.error(30)
    assert 0.2 <= time.monotonic() - begin < 10
    assert kind == "Runtime.ExitError" and message.endswith("signal: killed")
    assert sleeping.last.outcome == "killed" and sleeping.last.duration_ms >= 190
    assert sleeping.result(0) == 0


def test_the_slot_of_the_next_invocation_is_frozen_for_a_time(sleeping):
    sleeping.emulator.faults.freeze(seconds=0.5)
    begin = time.monotonic()
    assert sleeping.result(0) == 0
    assert 0.5 <= time.monotonic() - begin < 10
    assert sleeping.last.init_ms == 0


def test_the_next_invocation_is_slow(sleeping):
    sleeping.emulator.faults.delay(0.3)
    begin = time.monotonic()
    assert sleeping.result(0) == 0
    assert 0.3 <= time.monotonic() - begin < 10
    assert sleeping.last.duration_ms < 300  # not the function's time, and not billed


def test_a_slot_can_be_killed(sleeping):
    thread, results, slot = in_background(sleeping, 30)
    sleeping.emulator.kill(slot.number)
    thread.join(20)
    assert results[0]["errorType"] == "Runtime.ExitError"
    assert sleeping.last.pid == slot.pid
    with pytest.raises(LookupError):
        sleeping.emulator.kill(slot.number)


def test_a_slot_can_be_frozen_and_thawed(sleeping):
    thread, results, slot = in_background(sleeping, 0.1)
    sleeping.emulator.freeze(slot.number)
    (frozen,) = sleeping.emulator.slots()
    assert frozen.is_frozen and frozen.state == "busy"
    thread.join(0.5)
    assert thread.is_alive()
    sleeping.emulator.thaw(slot.number)
    thread.join(20)
    assert results == [0.1]


def test_a_frozen_slot_runs_into_its_deadline(service):
    service.create(SLEEP, Timeout=1)
    service.result(0)
    (slot,) = service.emulator.slots()
    service.emulator.freeze(slot.number)
    assert service.error(0)[0] == "Sandbox.Timedout"
    assert service.result(0) == 0


def test_a_plan_draws_the_same_every_time():
    def drawn(seed):
        faults = Faults(FaultPlan(seed, throttle=0.2, fail=0.2, lose=0.2, duplicate=0.2, kill=0.3))
        return [
            (faults.at_the_door(), faults.of_event(), faults.of_run().kill_after)
            for _ in range(200)
        ]

    assert drawn(1) == drawn(1) != drawn(2)
    doors, events, kills = zip(*drawn(1), strict=True)
    # Shares of 200, within four standard deviations.
    assert 17 <= doors.count(429) <= 63 and 10 <= doors.count(500) + doors.count(503) <= 54
    assert 17 <= events.count("lost") <= 63 and 10 <= events.count("duplicate") <= 54
    assert 34 <= sum(after is not None for after in kills) <= 86
    assert all(0 <= after <= 1 for after in kills if after is not None)


def test_kinds_of_a_plan_do_not_disturb_each_other():
    alone = Faults(FaultPlan(3, kill=0.3))
    among = Faults(FaultPlan(3, kill=0.3, delay=0.5, freeze=0.5, lose=0.5))
    for _ in range(50):
        among.of_event()
        assert alone.of_run().kill_after == among.of_run().kill_after


def test_a_plan_is_carried_out(start):
    service = start(faults=FaultPlan(5, kill=0.5, kill_seconds=(0.0, 0.02)))
    service.create(SLEEP)
    for _ in range(8):
        service.invoke(0.1)
    outcomes = [each.outcome for each in service.emulator.invocations()]
    twin = Faults(FaultPlan(5, kill=0.5))
    expected = ["killed" if twin.of_run().kill_after is not None else "ok" for _ in range(8)]
    assert outcomes == expected and {"ok", "killed"} == set(outcomes)
    service.emulator.faults.clear()
    assert service.result(0) == 0


@pytest.mark.parametrize(
    "wrong",
    [{"kill": 1.1}, {"lose": -0.1}, {"kill_seconds": (2.0, 1.0)}, {"delay_seconds": (-1, 1)}],
)
def test_a_plan_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FaultPlan(1, **wrong)


def test_a_fault_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="500 or 503"):
        Faults().fail(status=404)
    with pytest.raises(ValueError, match="at least 1"):
        Faults().kill(n=0)


def test_a_freeze_that_meets_the_end_of_an_invocation_does_not_last(service, monkeypatch):
    receive, calls = _slot.RuntimeApi.receive, []

    def receive_late(self, until, look):
        calls.append(self)
        if len(calls) == 2:  # after the result: meanwhile the process asks for its next event
            time.sleep(0.4)
        return receive(self, until, look)

    service.create(SLEEP, Timeout=1)
    service.result(0)
    monkeypatch.setattr(_slot.RuntimeApi, "receive", receive_late)
    service.emulator.faults.freeze(after=0.3, seconds=60)
    assert service.result(0) == 0
    assert service.result(0) == 0
    assert service.last.init_ms == 0
