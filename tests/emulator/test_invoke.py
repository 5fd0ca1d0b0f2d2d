"""Invoke: what goes in comes out, in all three types, within the limits."""

import base64
import json
import re
import urllib.error
import urllib.request

import pytest

from .service import SLEEP, refusal

REPORT = re.compile(
    r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
    r"Memory Size: (\d+) MB\tMax Memory Used: (\d+) MB\t(?:Init Duration: ([\d.]+) ms\t)?$",
    re.M,
)
MIB = 1 << 20


@pytest.mark.parametrize("event", [None, 1, "ä", [1, {"a": None}], {"nested": {"x": 1.5}}])
def test_a_function_gets_its_event_and_returns_its_result(echo, event):
    result, answer = echo.invoke(event)
    assert result == event
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer and "LogResult" not in answer
    assert answer["ResponseMetadata"]["RequestId"] == echo.last.request_id


def test_without_a_payload_the_event_is_an_empty_object(echo):
    assert json.load(echo.client.invoke(FunctionName="f")["Payload"]) == {}


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "123456789012:function:f",
        "f:$LATEST",
    ],
)
def test_a_function_has_several_names(echo, name):
    assert echo.result(7, name) == 7


def test_the_context_is_that_of_lambda(service):
    service.create(
        """
def handle(event, context):
    return {
        "id": context.aws_request_id,
        "name": context.function_name,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
    }
""",
        MemorySize=256,
        Timeout=30,
    )
    client_context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    context, answer = service.invoke(ClientContext=client_context)
    assert context["id"] == answer["ResponseMetadata"]["RequestId"]
    assert context["name"] == "f" and context["arn"].endswith(":function:f")
    assert int(context["memory"]) == 256 and context["custom"] == {"a": "b"}
    assert 29_000 < context["left"] <= 30_000


def test_the_log_tells_of_the_invocation(service):
    service.create(
        """
print("once")

def handle(event, context):
    print("each time", event)
""",
        MemorySize=256,
    )
    logs = []
    for event in (1, 2):
        _, answer = service.invoke(event, LogType="Tail")
        logs.append(base64.b64decode(answer["LogResult"]).decode())
        request_id = answer["ResponseMetadata"]["RequestId"]
        assert service.emulator.log(request_id) == logs[-1]
        assert f"START RequestId: {request_id} Version: $LATEST\neach time {event}\n" in logs[-1]
        assert f"END RequestId: {request_id}\n" in logs[-1]
        assert REPORT.search(logs[-1])[1] == request_id
    assert "once" in logs[0] and "once" not in logs[1]
    cold, warm = (REPORT.search(log) for log in logs)
    # The initialization is billed since August 2025, and there is none in a warm start.
    assert float(cold[6]) > 0 and warm[6] is None
    assert 0 <= int(cold[3]) - float(cold[2]) - float(cold[6]) <= 1.01
    assert 0 <= int(warm[3]) - float(warm[2]) <= 1.01
    assert cold[4] == "256" and 5 < int(cold[5]) < 100


def test_the_log_result_is_the_last_four_kilobytes(service):
    service.create("def handle(event, context):\n    print('x' * 10_000)")
    _, answer = service.invoke(LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == 4096
    assert service.last.log.count("x") >= 10_000


def test_an_exception_is_a_function_error(service):
    service.create("def handle(event, context):\n    raise KeyError('no such thing')")
    result, answer = service.invoke(LogType="Tail")
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert (result["errorType"], result["errorMessage"]) == ("KeyError", "'no such thing'")
    assert "raise KeyError" in "".join(result["stackTrace"])
    assert "[ERROR] KeyError: 'no such thing'" in base64.b64decode(answer["LogResult"]).decode()
    assert (service.last.outcome, service.last.error_type) == ("error", "KeyError")
    service.invoke()
    assert service.last.init_ms == 0  # an exception costs no process


def test_a_result_that_is_not_json_is_a_function_error(service):
    service.create("def handle(event, context):\n    return object()")
    assert service.error()[0] == "Runtime.MarshalError"


def test_dry_run_runs_nothing(echo):
    before = len(echo.emulator.invocations())
    _, answer = echo.invoke(InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert len(echo.emulator.invocations()) == before


def test_six_megabytes_go_in_and_not_a_byte_more(service):
    service.create("def handle(event, context):\n    return len(event)")
    largest = b'"' + b"x" * (6 * MIB - 2) + b'"'
    answer = service.client.invoke(FunctionName="f", Payload=largest)
    assert json.load(answer["Payload"]) == 6 * MIB - 2
    code, status, message = refusal(service.client.invoke, FunctionName="f", Payload=largest + b" ")
    assert (code, status) == ("RequestTooLargeException", 413)
    assert message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"


def test_one_megabyte_goes_into_the_queue_and_not_a_byte_more(service):
    service.create("def handle(event, context):\n    print(len(event))")
    largest = b'"' + b"x" * (MIB - 2) + b'"'
    service.client.invoke(FunctionName="f", Payload=largest, InvocationType="Event")
    service.emulator.wait_for_events()
    assert f"\n{MIB - 2}\n" in service.last.log
    code, status, message = refusal(
        service.client.invoke, FunctionName="f", Payload=largest + b" ", InvocationType="Event"
    )
    assert (code, status) == ("RequestTooLargeException", 413) and "1048576" in message


def test_six_megabytes_come_out_and_no_more(service):
    service.create("def handle(event, context):\n    return 'x' * event")
    assert len(service.result(6 * MIB - 2)) == 6 * MIB - 2
    assert service.error(6 * MIB + 100) == (
        "Function.ResponseSizeTooLarge",
        "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    )
    assert service.result(1) == "x"


def test_what_cannot_be_asked_is_refused(echo):
    invoke = echo.client.invoke
    assert refusal(invoke, FunctionName="g") == (
        "ResourceNotFoundException",
        404,
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:g",
    )
    assert refusal(invoke, FunctionName="f", Qualifier="3")[:2] == (
        "ResourceNotFoundException",
        404,
    )
    assert refusal(invoke, FunctionName="f", Payload=b"{")[:2] == (
        "InvalidRequestContentException",
        400,
    )
    assert refusal(invoke, FunctionName="f", InvocationType="Sometimes")[:2] == (
        "ValidationException",
        400,
    )


def test_a_request_without_a_signature_is_refused(echo):
    url = f"{echo.emulator.endpoint_url}/2015-03-31/functions/f/invocations"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, b"{}"), timeout=10)
    with caught.value as answer:
        assert answer.code == 403
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_an_operation_that_is_not_emulated_says_so(echo):
    code, _, message = refusal(echo.client.list_layers)
    assert code == "UnknownOperationException" and "not among the operations" in message


def test_invocations_at_once_have_processes_of_their_own(service):
    service.create(SLEEP)
    assert service.at_once([0.5] * 6) == [0.5] * 6
    done = service.emulator.invocations()
    assert len({each.slot for each in done}) == len({each.pid for each in done}) == 6
    assert max(each.start for each in done) < min(each.end for each in done)


def test_hundreds_of_requests_at_once_are_answered(start):
    service = start(concurrency=4)
    service.create("import os\n\ndef handle(event, context):\n    return os.getpid()")
    ids = {service.send() for _ in range(120)}
    service.emulator.wait_for_events()
    done = service.emulator.invocations()
    assert {each.request_id for each in done if each.outcome == "ok"} == ids
    assert len(done) == 120 and len({each.pid for each in done}) <= 4
