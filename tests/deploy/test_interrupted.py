"""Deploy and destroy that fail at each of their calls in turn, and are run again each time."""

import contextlib
import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sklearn_cirrus.deploy import deploy, destroy, engine
from sklearn_cirrus.exceptions import DeployError
from tests.deploy.account import counts, snapshot

CHOICES = {"server": "host", "instance": "t4g.medium", "client_cidr": "203.0.113.0/24"}
READS = ("Describe", "Get", "List", "Head")


class EachCallFailsOnce:
    """Makes every call fail when it is made for the first time.

    Parameters
    ----------
    clients : list
        boto3's.
    event : {"before-call", "after-call"}
        Whether a call fails before it is sent, or its answer is lost.
    """

    def __init__(self, clients, event):
        self.failed = set()
        self._clients, self._event = clients, event
        self._answers_are_lost = event == "after-call"
        self._sent = {}

    @contextlib.contextmanager
    def __call__(self):
        for client in self._clients:
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._after)
        try:
            yield
        finally:
            for client in self._clients:
                client.meta.events.unregister("before-call", self._before)
                client.meta.events.unregister("after-call", self._after)

    def _before(self, model, params, **_):
        body = params["body"]
        if model.name == "PutParameter":  # with a password that is another each time
            body = json.loads(body)
            body = body["Name"], body.get("Overwrite")
        elif not isinstance(body, (dict, str, bytes)):
            body = None  # a file
        call = repr((model.name, params["url_path"], params["query_string"], body))
        self._sent[model.name] = call
        if not self._answers_are_lost:
            self._fail(call)

    def _after(self, model, **_):
        if self._answers_are_lost and not model.name.startswith(READS):
            self._fail(self._sent[model.name])

    def _fail(self, call):
        if call not in self.failed:
            self.failed.add(call)
            raise EndpointConnectionError(endpoint_url="https://cut.off")


def until_done(act, most):
    """Run something again until it does not fail; return how often it failed."""
    for attempt in range(most):
        try:
            act()
            return attempt
        except DeployError:
            pass
    raise AssertionError(f"it still fails after {most} times")


@pytest.mark.parametrize("event", ["before-call", "after-call"])
def test_every_call_may_fail_once(aws, hosts, files, shared_clients, event):
    clean = counts(aws)
    deploy(**files, **CHOICES)
    undisturbed, there = snapshot(aws), counts(aws)
    destroy()
    assert snapshot(aws) == {} and counts(aws) == clean

    clients = [client for (_, region), client in shared_clients.items() if region == "eu-west-1"]
    failing = EachCallFailsOnce(clients, event)
    with failing():
        failures = until_done(lambda: deploy(**files, **CHOICES), 250)
    assert failures == len(failing.failed) > 45
    assert snapshot(aws) == undisturbed and counts(aws) == there
    assert deploy(**files).changed == []

    failing.failed.clear()
    with failing():
        failures = until_done(destroy, 250)
    assert failures == len(failing.failed) > 25
    assert snapshot(aws) == {} and counts(aws) == clean


def refusing(client, operation, code, message, times):
    """Make an operation answer with an error a few times; return what counts them."""
    answers = []

    def refuse(**_):
        if len(answers) < times:
            answers.append(code)
            error = {"Error": {"Code": code, "Message": message}}
            raise ClientError(error, operation)

    client.meta.events.register(f"before-call.*.{operation}", refuse)
    return answers, lambda: client.meta.events.unregister(f"before-call.*.{operation}", refuse)


@pytest.mark.parametrize(
    ("service", "operation", "code", "message"),
    [
        (
            *("lambda", "CreateFunction", "InvalidParameterValueException"),
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        ("iam", "PutRolePolicy", "NoSuchEntity", "not yet"),
        ("s3", "PutBucketTagging", "NoSuchBucket", "not yet"),
    ],
)
def test_what_aws_does_not_know_yet_is_waited_for(aws, files, service, operation, code, message):
    answers, end = refusing(aws(service), operation, code, message, 3)
    try:
        deploy(**files, server="none")
    finally:
        end()
    assert len(answers) == 3
    assert deploy(**files).changed == []


def test_a_refusal_for_good_is_told_once_with_what_to_do(aws, files, monkeypatch):
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 0.05)
    denied = "not authorized to perform: iam:CreateRole"
    answers, end = refusing(aws("iam"), "CreateRole", "AccessDenied", denied, 5)
    try:
        with pytest.raises(DeployError, match="role WorkerRole: AccessDenied.*docs/deploy.md"):
            deploy(**files, server="none")
    finally:
        end()
    assert len(answers) == 1
