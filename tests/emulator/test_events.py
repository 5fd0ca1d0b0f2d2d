"""Asynchronous invocations: run once, retried, held back, lost, doubled."""

from .service import ECHO, SLEEP

FAIL = """
import os

def handle(event, context):
    if event == "exit":
        os._exit(1)
    raise ValueError(event)
"""


def outcomes(service, request_id):
    """Attempts and outcomes of a request, in order."""
    done = service.emulator.invocations()
    return [(each.attempt, each.outcome) for each in done if each.request_id == request_id]


def test_an_event_runs_after_the_answer(service):
    service.create(SLEEP)
    request_id = service.send(0.3)
    assert outcomes(service, request_id) == []
    assert service.emulator.unfinished_events() == 1
    service.emulator.wait_for_events()
    assert outcomes(service, request_id) == [(0, "ok")]
    assert service.last.kind == "Event"


def test_an_event_that_fails_is_run_three_times(start):
    service = start(event_delay_scale=0.002)
    service.create(FAIL)
    by_error, by_exit = service.send("error"), service.send("exit")
    service.emulator.wait_for_events()
    assert outcomes(service, by_error) == [(0, "error"), (1, "error"), (2, "error")]
    assert outcomes(service, by_exit) == [(0, "exited"), (1, "exited"), (2, "exited")]
    first, second, third = (
        each for each in service.emulator.invocations() if each.request_id == by_error
    )
    # One minute and two, times the scale.
    assert 0.12 <= second.start - first.end < 0.12 + 0.1
    assert 0.24 <= third.start - second.end


def test_the_number_of_retries_can_be_set(start):
    service = start(event_delay_scale=0.001)
    service.create(FAIL)
    for attempts in (0, 1):
        service.client.put_function_event_invoke_config(
            FunctionName="f", MaximumRetryAttempts=attempts
        )
        request_id = service.send("error")
        service.emulator.wait_for_events()
        assert len(outcomes(service, request_id)) == attempts + 1


def test_events_wait_for_concurrency(start):
    service = start(concurrency=1, event_delay_scale=0.02)
    service.create(SLEEP)
    ids = [service.send(0.1) for _ in range(4)]
    service.emulator.wait_for_events()
    assert {each.request_id for each in service.emulator.invocations()} == set(ids)
    assert all(outcomes(service, request_id) == [(0, "ok")] for request_id in ids)
    done = sorted(service.emulator.invocations(), key=lambda each: each.start)
    assert all(a.end <= b.start for a, b in zip(done, done[1:], strict=False))


def test_events_are_queued_while_their_function_has_no_concurrency(start):
    service = start(event_delay_scale=0.01)
    service.create(ECHO)
    service.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    request_id = service.send(1)
    assert service.emulator.unfinished_events() == 1
    service.client.delete_function_concurrency(FunctionName="f")
    service.emulator.wait_for_events()
    assert outcomes(service, request_id) == [(0, "ok")]


def test_events_of_a_deleted_function_are_dropped(start):
    service = start(event_delay_scale=0.01)
    service.create(ECHO)
    service.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    request_id = service.send(1)
    service.client.delete_function(FunctionName="f")
    service.emulator.wait_for_events()
    assert outcomes(service, request_id) == [(0, "expired")]


def test_a_lost_event_never_runs(service):
    service.create(ECHO)
    service.emulator.faults.lose(2)
    lost = [service.send(1), service.send(2)]
    kept = service.send(3)
    service.emulator.wait_for_events()
    assert [outcomes(service, request_id) for request_id in lost] == [[(0, "lost")]] * 2
    assert outcomes(service, kept) == [(0, "ok")]


def test_a_doubled_event_runs_twice(service):
    service.create(SLEEP)
    service.emulator.faults.duplicate()
    request_id = service.send(0.2)
    service.emulator.wait_for_events()
    assert outcomes(service, request_id) == [(0, "ok")] * 2
    assert len({each.slot for each in service.emulator.invocations()}) == 2
    request_id = service.send(0)
    service.emulator.wait_for_events()
    assert outcomes(service, request_id) == [(0, "ok")]
