"""The part of ``sklearn-cirrus doctor`` that is about AWS."""

import pytest
from botocore.stub import Stubber

from sklearn_cirrus import _doctor
from sklearn_cirrus.config import Config
from sklearn_cirrus.deploy import checks, deploy

URL = "rediss://user:hunter2@127.0.0.1:9/0"  # nobody listens there


@pytest.fixture
def stack(aws, files, monkeypatch):
    """A stack that works, but for its server."""
    monkeypatch.setenv("CIRRUS_STACK", "cirrus")
    deploy(**files, server="none")


def findings():
    """The lines, and the fault with its remedy that ended them."""
    lines = []
    try:
        for line in checks.check_aws():
            lines.append(line)
    except checks.Faulty as fault:
        return lines, *fault.args
    return lines, "", ""


@pytest.fixture
def limits(aws):
    """What AWS would say of the account's concurrency, which moto cannot."""

    def say(most, unreserved):
        stub.add_response(
            "get_account_settings",
            {
                "AccountLimit": {
                    "ConcurrentExecutions": most,
                    "UnreservedConcurrentExecutions": unreserved,
                }
            },
        )

    client = aws("lambda")
    stub = Stubber(client)
    original = client.get_account_settings

    def get_account_settings():
        with stub:
            return original()

    client.get_account_settings = get_account_settings
    yield say
    del client.get_account_settings


def test_a_whole_stack(stack, limits):
    limits(1000, 900)
    lines, fault, _ = findings()
    assert fault == ""
    text = "\n".join(lines)
    for words in ("credentials are valid", "bucket cirrus-", "as here", "none deployed"):
        assert words in text
    assert "at most 900 workers at the same time: what the account has unreserved (1000" in text


def test_a_new_account_has_little(stack, limits):
    limits(10, 10)
    lines, *_ = findings()
    assert any("ask for more in Service Quotas" in line for line in lines)


@pytest.mark.parametrize(
    ("take_away", "fault", "remedy"),
    [
        (lambda aws: aws("ssm").delete_parameter(Name="/cirrus/deployment"), "no stack", "deploy"),
        (
            lambda aws: aws("lambda").delete_function(FunctionName="cirrus-worker"),
            *("function cirrus-worker is not there", "deploy --stack cirrus"),
        ),
        (
            lambda aws: _empty_and_delete(aws("s3"), "cirrus-123456789012-eu-west-1"),
            *("bucket cirrus-123456789012-eu-west-1 is not there", "deploy --stack cirrus"),
        ),
    ],
    ids=["record", "function", "bucket"],
)
def test_what_is_missing_is_named_with_its_remedy(stack, aws, take_away, fault, remedy):
    take_away(aws)
    _, found, mending = findings()
    assert fault in found and remedy in mending


def _empty_and_delete(s3, bucket):
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)


def test_another_version_is_named(stack, monkeypatch):
    monkeypatch.setattr(checks, "runtime_version", lambda: "9.9")
    _, found, mending = findings()
    assert "this is 9.9" in found and "deploy" in mending


def test_a_server_that_is_silent_is_named_without_its_password(stack, files):
    deploy(**files, redis_url=URL)
    lines, found, mending = findings()
    assert "does not answer" in found and mending
    assert "hunter2" not in "".join([*lines, found, mending])


def test_the_doctor_passes_it_on(stack, aws):
    aws("ssm").delete_parameter(Name="/cirrus/deployment")
    with pytest.raises(_doctor.Missing, match="no stack 'cirrus'"):
        list(_doctor._aws(Config()))


def test_the_doctor_asks_nothing_of_aws_unless_it_is_used(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert list(_doctor._aws(Config())) == ["no credentials for AWS: nothing to check"]
