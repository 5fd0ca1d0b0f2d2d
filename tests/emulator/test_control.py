"""The control plane: what is set is what is shown, and wrong requests get AWS's errors."""

import base64
import hashlib
import re
import sys
import threading

import boto3
import pytest

from sklearn_cirrus.emulator import _code, _http

from .service import ECHO, ROLE, RUNTIME, SLEEP, refusal, wait_until, zipped

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
OTHER = "def handle(event, context):\n    return 'other'"


def test_a_function_is_created_shown_and_deleted(service):
    code = zipped(ECHO)
    made = service.create(
        Code={"ZipFile": code},
        Description="what it is",
        MemorySize=512,
        Timeout=60,
        EphemeralStorage={"Size": 1024},
        Architectures=["arm64"],
        Environment={"Variables": {"LEVEL": "3"}},
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        Tags={"a": "b"},
    )
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    service.client.get_waiter("function_active_v2").wait(FunctionName="f")
    shown = service.client.get_function(FunctionName="f")
    configuration = shown["Configuration"]
    alone = service.client.get_function_configuration(FunctionName="f")
    assert configuration.items() <= alone.items()
    expected = {
        "FunctionName": "f",
        "FunctionArn": ARN,
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": "app.handle",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "what it is",
        "MemorySize": 512,
        "Timeout": 60,
        "EphemeralStorage": {"Size": 1024},
        "Architectures": ["arm64"],
        "Environment": {"Variables": {"LEVEL": "3"}},
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
    assert {name: configuration[name] for name in expected} == expected
    assert configuration["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    assert shown["Tags"] == {"a": "b"} and "Concurrency" not in shown
    service.client.delete_function(FunctionName="f")
    assert refusal(service.client.get_function, FunctionName="f")[:2] == (
        "ResourceNotFoundException",
        404,
    )
    assert refusal(service.client.delete_function, FunctionName="f")[1] == 404
    assert service.emulator.slots() == []


def test_functions_are_listed_in_pages(service):
    names = [f"f{number:02d}" for number in range(53)]
    for name in reversed(names):
        service.create(name=name)
    pages = list(service.client.get_paginator("list_functions").paginate())
    assert [len(page["Functions"]) for page in pages] == [50, 3]
    assert [f["FunctionName"] for page in pages for f in page["Functions"]] == names
    settings = service.client.get_account_settings()
    assert settings["AccountUsage"]["FunctionCount"] == 53
    assert settings["AccountUsage"]["TotalCodeSize"] == 53 * len(zipped(ECHO))
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_new_code_runs_in_new_processes(service):
    service.create()
    assert service.result(1) == 1
    (before,) = service.emulator.slots()
    updated = service.client.update_function_code(FunctionName="f", ZipFile=zipped(OTHER))
    assert updated["LastUpdateStatus"] == "InProgress"
    service.client.get_waiter("function_updated_v2").wait(FunctionName="f")
    assert service.emulator.slots() == []
    assert service.result(1) == "other"
    (after,) = service.emulator.slots()
    assert after.pid != before.pid


def test_an_invocation_outlives_an_update(service):
    service.create(SLEEP)
    results = []
    thread = threading.Thread(target=lambda: results.append(service.result(0.6)))
    thread.start()
    wait_until(lambda: any(slot.request_id for slot in service.emulator.slots()))
    service.client.update_function_code(FunctionName="f", ZipFile=zipped(OTHER))
    assert service.result(1) == "other"
    thread.join()
    assert results == [0.6]
    wait_until(lambda: len(service.emulator.slots()) == 1)


def test_a_new_configuration_is_that_of_the_next_invocation(service):
    service.create(
        "import os\n\ndef handle(event, context):\n"
        "    return os.environ.get('LEVEL'), context.memory_limit_in_mb"
    )
    assert service.result() == [None, "128"]
    changed = service.client.update_function_configuration(
        FunctionName="f", MemorySize=256, Environment={"Variables": {"LEVEL": "3"}}
    )
    assert changed["LastUpdateStatus"] == "InProgress" and changed["Timeout"] == 20
    assert service.result() == ["3", "256"]


def test_a_dry_run_changes_no_code(service):
    service.create()
    answer = service.client.update_function_code(
        FunctionName="f", ZipFile=zipped(OTHER), DryRun=True
    )
    assert answer["CodeSize"] == len(zipped(OTHER))
    assert service.result(1) == 1


def test_changes_are_bound_to_a_revision(service):
    old = service.create()["RevisionId"]
    update = service.client.update_function_configuration
    new = update(FunctionName="f", Description="a", RevisionId=old)["RevisionId"]
    assert new != old
    assert refusal(update, FunctionName="f", Description="b", RevisionId=old)[:2] == (
        "PreconditionFailedException",
        412,
    )


def test_states_take_their_time(start):
    service = start(transition_seconds=0.3)
    service.create()
    shown = service.client.get_function_configuration(FunctionName="f")
    assert shown["State"] == "Pending"
    assert refusal(service.client.invoke, FunctionName="f")[:2] == (
        "ResourceConflictException",
        409,
    )
    update = service.client.update_function_configuration
    assert refusal(update, FunctionName="f", Timeout=5)[0] == "ResourceConflictException"
    wait_until(lambda: not refused(service))
    update(FunctionName="f", Timeout=5)
    code, status, message = refusal(update, FunctionName="f", Timeout=6)
    assert (code, status) == ("ResourceConflictException", 409) and "in progress" in message
    assert service.result(2) == 2  # meanwhile it can be invoked


def refused(service):
    """Whether the function is still pending."""
    return service.client.get_function_configuration(FunctionName="f")["State"] == "Pending"


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException", "only Python"),
        ({"Runtime": "python3.2"}, "InvalidParameterValueException", "no python3.2 here"),
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"MemorySize": 10_241}, "ValidationException", "less than or equal to 10240"),
        ({"EphemeralStorage": {"Size": 10_241}}, "ValidationException", "10240"),
        ({"Architectures": ["riscv"]}, "ValidationException", "architectures"),
        ({"Role": "me"}, "ValidationException", "role"),
        ({"Handler": "a b"}, "ValidationException", "handler"),
        ({"name": "a/b"}, "ValidationException", "functionName"),
        ({"Publish": True}, "InvalidParameterValueException", "only \\$LATEST"),
        ({"Layers": ["arn:aws:lambda:::layer"]}, "InvalidParameterValueException", "Layers"),
        ({"PackageType": "Image"}, "InvalidParameterValueException", "give a zip"),
        ({"Code": {"ImageUri": "i"}}, "InvalidParameterValueException", "give a zip"),
        ({"Code": {}}, "InvalidParameterValueException", "provide a source"),
        ({"Code": {"ZipFile": b"PK no"}}, "InvalidParameterValueException", "Could not unzip"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            "reserved keys.*AWS_REGION",
        ),
        ({"Environment": {"Variables": {"A-B": "x"}}}, "ValidationException", "variables"),
        (
            {"Environment": {"Variables": {"BIG": "x" * 4094}}},
            "InvalidParameterValueException",
            "4KB",
        ),
    ],
)
def test_a_function_that_cannot_be_is_refused(echo, settings, code, words):
    found, status, message = refusal(echo.create, **{"name": "wrong", **settings})
    assert (found, status) == (code, 400)
    assert re.search(words, message)
    names = [f["FunctionName"] for f in echo.client.list_functions()["Functions"]]
    assert names == ["f"]


def test_a_name_is_taken_once(echo):
    assert refusal(echo.create) == (
        "ResourceConflictException",
        409,
        "Function already exist: f",
    )


def test_a_zip_that_unpacks_to_too_much_is_refused(service, monkeypatch):
    monkeypatch.setattr(_code, "UNZIPPED", 1000)
    code, status, message = refusal(service.create, "x" * 1000)
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert message == "Unzipped size must be smaller than 1000 bytes"
    service.create("# " + "x" * 997)


def test_a_request_that_is_too_large_is_refused(service, monkeypatch):
    monkeypatch.setattr(_http, "CREATE_REQUEST", 10_000)
    code, status, message = refusal(service.create, Code={"ZipFile": bytes(10_000)})
    assert (code, status) == ("RequestEntityTooLargeException", 413)
    assert message == "Request must be smaller than 10000 bytes for the CreateFunction operation"


def test_the_storage_for_code_is_limited(start):
    service = start(code_storage=len(zipped(ECHO)) + 10)
    service.create()
    assert refusal(service.create, name="g")[:2] == ("CodeStorageExceededException", 400)


def test_code_comes_from_s3(start):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        s3.create_bucket(Bucket="code")
        s3.put_object(
            Bucket="code",
            Key="worker.zip",
            Body=zipped(
                """
import boto3

def handle(event, context):
    return boto3.client("s3").get_object(Bucket="code", Key=event)["Body"].read().decode()
"""
            ),
        )
        s3.put_object(Bucket="code", Key="note", Body=b"read by the function")
        service = start(s3_endpoint_url=url)
        service.create(Code={"S3Bucket": "code", "S3Key": "worker.zip"}, MemorySize=512)
        # Lambda's runtime brings boto3 along, and the emulator says where S3 is.
        assert service.result("note") == "read by the function"
        code, status, message = refusal(
            service.create, name="g", Code={"S3Bucket": "code", "S3Key": "absent"}
        )
        assert (code, status) == ("InvalidParameterValueException", 400)
        assert "S3 Error Code: NoSuchKey" in message
        s3.close()
    finally:
        server.stop()


def test_another_python_may_stand_in(start):
    service = start(pythons={"python3.99": sys.executable})
    service.create(
        "import os\n\ndef handle(event, context):\n    return os.environ['AWS_EXECUTION_ENV']",
        Runtime="python3.99",
    )
    assert service.result() == "AWS_Lambda_python3.99"
