"""Concurrency: of a function, of the account, and what is said when it is used up."""

import contextlib
import threading

import pytest
from botocore.exceptions import ClientError

from .service import ECHO, SLEEP, refusal, wait_until


@contextlib.contextmanager
def busy(service, count, name="f", seconds=0.7):
    """Have so many invocations of a function going on."""
    threads = [threading.Thread(target=service.result, args=(seconds, name)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: sum(s.request_id is not None for s in service.emulator.slots()) == count)
        yield
    finally:
        for thread in threads:
            thread.join()


def throttled(service, name="f"):
    """The reason for which an invocation is refused."""
    with pytest.raises(ClientError) as caught:
        service.invoke(0, name)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["retryAfterSeconds"] == "1"
    return answer["Reason"]


def test_the_account_has_a_limit(start):
    service = start(concurrency=2)
    service.create(SLEEP)
    service.create(ECHO, name="g")
    with busy(service, 2):
        assert throttled(service) == "ConcurrentInvocationLimitExceeded"
        assert throttled(service, "g") == "ConcurrentInvocationLimitExceeded"
        assert service.client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 2
    assert service.result(0, "g") == 0


def test_a_reservation_is_a_limit_and_a_right(start):
    service = start(concurrency=103)
    for name in "fgh":
        service.create(SLEEP, name=name)
    put = service.client.put_function_concurrency
    put(FunctionName="f", ReservedConcurrentExecutions=2)
    shown = service.client.get_function_concurrency(FunctionName="f")
    assert shown["ReservedConcurrentExecutions"] == 2
    function = service.client.get_function(FunctionName="f")
    assert function["Concurrency"] == {"ReservedConcurrentExecutions": 2}
    limit = service.client.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == 101
    # A hundred must stay for the others.
    code, status, message = refusal(put, FunctionName="g", ReservedConcurrentExecutions=2)
    assert (code, status) == ("InvalidParameterValueException", 400) and "[100]" in message
    put(FunctionName="g", ReservedConcurrentExecutions=0)
    assert throttled(service, "g") == "ReservedFunctionConcurrentInvocationLimitExceeded"
    with busy(service, 2):
        assert throttled(service) == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert service.result(0, "h") == 0
    service.client.delete_function_concurrency(FunctionName="g")
    assert "ReservedConcurrentExecutions" not in service.client.get_function_concurrency(
        FunctionName="g"
    )
    assert service.result(0, "g") == 0


def test_a_reservation_goes_with_its_function(service):
    service.create()
    service.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=900)
    service.client.delete_function(FunctionName="f")
    limit = service.client.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == 1000
    assert refusal(service.client.get_function_concurrency, FunctionName="f")[1] == 404
