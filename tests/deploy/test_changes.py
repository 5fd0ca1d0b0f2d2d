"""A stack that is deployed again with other choices, or beside what others have made."""

from urllib.parse import urlsplit

import pytest

from sklearn_cirrus.deploy import destroy, load_deployment
from sklearn_cirrus.exceptions import DeployError
from tests.deploy.account import snapshot

HOST = {"server": "host", "instance": "t4g.medium"}


def kinds(steps):
    return [(step.action, step.resource.name) for step in steps if step.action != "keep"]


def test_changed_options_change_what_they_are_about(aws, put_up, files):
    put_up(**HOST)
    assert kinds(put_up(memory=3008, concurrency=5, instance="c7g.large").steps) == [
        *(("update", "Server"), ("update", "Worker"), ("update", "Record")),
    ]
    public = kinds(put_up(client_cidr="203.0.113.0/24").steps)
    assert ("replace", "Server") in public and ("create", "ServerAddress") in public
    assert kinds(put_up(client_cidr="198.51.100.0/24").steps) == [
        ("update", "ServerGroup"),
        ("update", "Record"),
    ]
    private = kinds(put_up(client_cidr="none").steps)
    assert ("replace", "Server") in private
    assert [name for action, name in private if action == "delete"] == [
        *("ServerAddressAssociation", "ServerAddress"),
        *("ServerWayOut", "GatewayAttachment", "Gateway"),
    ]
    (_, concurrency, *_) = snapshot(aws)["function cirrus-worker"]
    assert concurrency == {"ReservedConcurrentExecutions": 5}
    task = {"task_bundle": files["bundle"].with_name("task.zip")}
    assert ("create", "Task") in kinds(put_up(**task, concurrency=0).steps)
    assert snapshot(aws)["function cirrus-worker"][1] is None
    assert load_deployment().task == "cirrus-task"
    newer = {"bundle": files["bundle"].with_name("task.zip")}
    assert ("update", "Worker") in kinds(put_up(**task, **newer).steps)
    assert put_up(**task, **newer).changed == []


def test_a_given_url_in_place_of_the_host(aws, put_up):
    url = "rediss://user:pass-word@cache.example:6379/0"
    put_up(**HOST)
    put_up(redis_url=url)
    there = snapshot(aws)
    assert not [name for name in there if name.startswith(("i ", "vpc ", "subnet ", "sg "))]
    assert there["function cirrus-worker"][3] == [0, 0]
    assert list(there["role cirrus-eu-west-1-worker-role"][1]) == ["runs-and-log"]
    assert load_deployment().redis_url == url
    assert put_up().changed == []
    other = url.replace("pass-word", "pass-words")
    assert kinds(put_up(redis_url=other).steps) == [("update", "ServerUrl")]
    assert put_up(subnets=("subnet-0a1b2c3d",), security_groups=("sg-0a1b2c3d",)).options.in_vpc
    put_up(**HOST)
    assert urlsplit(load_deployment().redis_url).hostname == "10.73.2.10"
    put_up(server="none")
    assert load_deployment().redis_url is None


def test_what_another_has_made_is_not_taken_over(aws, put_up):
    aws("iam").create_role(RoleName="cirrus-eu-west-1-worker-role", AssumeRolePolicyDocument="{}")
    with pytest.raises(DeployError, match="did not make.*another --stack"):
        put_up(server="none")
    destroy()
    assert [role["RoleName"] for role in aws("iam").list_roles()["Roles"]] == [
        "cirrus-eu-west-1-worker-role"
    ]


def test_two_stacks_do_not_meet(aws, put_up):
    put_up(server="none")
    put_up(server="none", stack="other")
    assert {"function cirrus-worker", "function other-worker"} < snapshot(aws).keys()
    destroy("other")
    assert put_up().changed == []
