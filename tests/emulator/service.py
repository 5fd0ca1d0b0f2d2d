"""A running emulator with a client, as the tests use it."""

import io
import json
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sklearn_cirrus.emulator import LambdaEmulator

ROLE = "arn:aws:iam::123456789012:role/worker"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ECHO = """
def handle(event, context):
    return event
"""
SLEEP = """
import time

def handle(event, context):
    time.sleep(event)
    return event
"""


def zipped(source, **files):
    """Give the bytes of a zip with ``app.py`` and other files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in {"app.py": source, **files}.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o644 << 16
            archive.writestr(member, text)
    return data.getvalue()


def wait_until(condition, timeout=20.0):
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.002)
    return found


def is_running(pid):
    """Whether the process runs; one that nobody has reaped yet does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def refusal(call, *arguments, **keywords):
    """Give code, status and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **keywords)
    answer = caught.value.response
    return (
        answer["Error"]["Code"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Message"],
    )


class Service:
    """An emulator and a client of it that neither retries nor waits long."""

    def __init__(self, session, **options):
        self.emulator = LambdaEmulator(**options)
        self._session = session

    def __enter__(self):
        self.emulator.__enter__()
        self.client = self._session.client(
            "lambda",
            endpoint_url=self.emulator.endpoint_url,
            config=Config(retries={"max_attempts": 0}, read_timeout=60, max_pool_connections=64),
        )
        return self

    def __exit__(self, *exception):
        self.client.close()
        self.emulator.__exit__(*exception)

    def retrying(self):
        """Make a client that retries, as boto3's do by default."""
        return self._session.client(
            "lambda",
            endpoint_url=self.emulator.endpoint_url,
            config=Config(retries={"max_attempts": 8, "mode": "standard"}),
        )

    def create(self, source=ECHO, name="f", **settings):
        """Make a function."""
        settings.setdefault("Code", {"ZipFile": zipped(source)})
        return self.client.create_function(
            FunctionName=name,
            **{"Runtime": RUNTIME, "Role": ROLE, "Handler": "app.handle", "Timeout": 20} | settings,
        )

    def invoke(self, event=None, name="f", **settings):
        """Invoke a function: its result and the whole answer."""
        answer = self.client.invoke(
            FunctionName=name, Payload=json.dumps(event).encode(), **settings
        )
        payload = answer["Payload"].read()
        return (json.loads(payload) if payload else None), answer

    def result(self, event=None, name="f"):
        """Invoke a function that must not fail."""
        result, answer = self.invoke(event, name)
        assert "FunctionError" not in answer, result
        return result

    def error(self, event=None, name="f"):
        """Invoke a function that must fail, and give type and message of the error."""
        result, answer = self.invoke(event, name)
        assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
        return result["errorType"], result["errorMessage"]

    def send(self, event=None, name="f"):
        """Invoke a function asynchronously, and give the request's id."""
        _, answer = self.invoke(event, name, InvocationType="Event")
        assert answer["StatusCode"] == 202
        return answer["ResponseMetadata"]["RequestId"]

    def at_once(self, events, name="f"):
        """Invoke a function with several events at once; give the results in order."""
        with ThreadPoolExecutor(len(events)) as threads:
            return list(threads.map(lambda event: self.result(event, name), events))

    @property
    def last(self):
        """The invocation that ended last."""
        return self.emulator.invocations()[-1]


def make_session():
    """Make what clients are made of."""
    return boto3.Session(region_name="us-east-1")
