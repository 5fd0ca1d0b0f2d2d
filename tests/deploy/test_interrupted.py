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
    lost : bool
        Whether the call is made and its answer lost; otherwise it is not made.
    reads : bool
        Whether calls fail that change nothing, too.
    """

    def __init__(self, clients, *, lost, reads):
        self.failed = set()
        self._clients = clients
        self._answers_are_lost, self._reads = lost, reads
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
        elif isinstance(body, dict):  # a new token is made up for every attempt
            body = {key: value for key, value in body.items() if key != "ClientToken"}
        elif not isinstance(body, (str, bytes)):
            body = None  # a file
        call = repr((model.name, params["url_path"], params["query_string"], body))
        self._sent[model.name] = call
        if not self._answers_are_lost:
            self._fail(model.name, call)

    def _after(self, model, **_):
        if self._answers_are_lost:
            self._fail(model.name, self._sent[model.name])

    def _fail(self, name, call):
        if call not in self.failed and (self._reads or not name.startswith(READS)):
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


# A call that was never sent leaves what the call before it left when its answer was lost, so the
# large stack is cut off in the one way alone.
@pytest.mark.parametrize(
    ("choices", "how", "deploying", "destroying"),
    [
        (CHOICES, {"lost": True, "reads": False}, 45, 30),
        ({"server": "none"}, {"lost": False, "reads": True}, 40, 20),
    ],
    ids=["answer lost", "not sent"],
)
def test_every_call_may_fail_once(aws, hosts, files, clients, choices, how, deploying, destroying):
    clean = counts(aws)
    deploy(**files, **choices)
    undisturbed, there = snapshot(aws), counts(aws)
    destroy()
    assert snapshot(aws) == {} and counts(aws) == clean

    failing = EachCallFailsOnce(list(clients.values()), **how)
    with failing():
        failures = until_done(lambda: deploy(**files, **choices), 200)
    assert failures == len(failing.failed) > deploying
    assert snapshot(aws) == undisturbed and counts(aws) == there
    assert deploy(**files).changed == []

    failing.failed.clear()
    with failing():
        failures = until_done(destroy, 200)
    assert failures == len(failing.failed) > destroying
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
    assert "function cirrus-worker" in snapshot(aws)


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
