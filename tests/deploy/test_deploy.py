"""Deploy against moto's server: what is there afterwards, and what a second one does."""

import json
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest

from sklearn_cirrus.deploy import deploy, load_deployment
from sklearn_cirrus.deploy.aws import Aws
from sklearn_cirrus.deploy.bucket import describe as describe_bucket
from sklearn_cirrus.deploy.engine import Engine
from sklearn_cirrus.deploy.names import Names
from sklearn_cirrus.deploy.plan import describe_everything
from sklearn_cirrus.exceptions import ConfigurationError, DeployError
from tests.deploy.account import counts, snapshot

HOST = {"server": "host", "instance": "t4g.medium"}


@pytest.fixture
def aws(aws_behind_server):
    """The account of all tests here."""
    return aws_behind_server


def test_a_dry_run_names_all_and_makes_nothing(aws, files):
    before = counts(aws)
    outcome = deploy(**files, **HOST, client_cidr="203.0.113.0/24", dry_run=True)
    assert counts(aws) == before
    assert {step.action for step in outcome.steps} == {"create"}
    made = {step.resource.name for step in outcome.steps}
    assert {"Bucket", "Worker", "Server", "Vpc", "ServerAddress", "Record"} <= made


def test_a_host_a_function_and_all_that_they_need(aws, put_up):
    put_up(**HOST, concurrency=20, tmp_size=1024, memory=2048, architecture="x86_64")
    there = snapshot(aws)

    (host,) = there["i Server"]
    assert host["InstanceType"] == "t4g.medium"
    assert (host["PrivateIpAddress"], host["SubnetId"]) == (*("10.73.2.10", "ServerSubnet"),)
    assert host["groups"] == ["ServerGroup"]
    assert not [name for name in there if name.startswith(("igw", "eipalloc"))]
    (group,) = there["sg ServerGroup"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (6379, 6379, [])
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == ["WorkersGroup"]
    (workers,) = there["sg WorkersGroup"]
    assert workers["IpPermissions"] == []
    zones = {there[f"subnet Workers{letter}"][0]["AvailabilityZone"] for letter in "AB"}
    assert len(zones) == 2
    (endpoint,) = there["vpce S3Endpoint"]
    assert sorted(endpoint["RouteTableIds"]) == ["ServerRoutes", "WorkersRoutes"]

    function, concurrency, tags, network, rule = there["function cirrus-worker"]
    assert concurrency == {"ReservedConcurrentExecutions": 20}
    assert network == [2, 1] and rule == [0, 60]
    assert (function["MemorySize"], function["Timeout"]) == (2048, 900)
    assert function["EphemeralStorage"] == {"Size": 1024}
    assert function["Architectures"] == ["x86_64"]
    assert function["Handler"] == "cirrus_runtime.handler.handle"
    assert function["Environment"]["Variables"] == {"CIRRUS_STACK": "cirrus"}
    assert there["log /aws/lambda/cirrus-worker"] == 14

    keys, tags, encryption, block, owner, rules, policy = there[
        "bucket cirrus-123456789012-eu-west-1"
    ]
    assert set(block.values()) == {True}
    assert {rule["ID"]: rule.get("Expiration") for rule in rules} == {
        "runs-expire": {"Days": 14},
        "uploads-are-finished": None,
    }
    assert [key.partition("-")[0] for key in keys] == [
        "code/worker",
        "server/cirrus",
        "server/ready/i.pem",
    ]


def test_a_second_deploy_changes_nothing(aws, put_up):
    put_up(**HOST, client_cidr="203.0.113.0/24")
    before, url = snapshot(aws), load_deployment().redis_url
    outcome = put_up()  # what is not given stays
    assert outcome.changed == []
    assert len(outcome.steps) > 30
    assert snapshot(aws) == before
    assert load_deployment().redis_url == url


def test_the_url_of_a_host_holds_its_certificate(aws, put_up):
    put_up(**HOST)
    found = load_deployment()
    parts = urlsplit(found.redis_url)
    assert (parts.scheme, parts.hostname, parts.port) == ("rediss", "10.73.2.10", 6379)
    assert parts.username == "cirrus" and len(parts.password) == 43  # 256 bits
    assert "ssl_ca_data=certificate of i-" in unquote(parts.query)
    assert found.server == "10.73.2.10:6379"


def test_a_public_host_has_one_url_for_all(aws, put_up):
    put_up(**HOST, client_cidr="203.0.113.0/24")
    (address,) = aws("ec2").describe_addresses()["Addresses"]
    dashed = address["PublicIp"].replace(".", "-")
    expected = f"ec2-{dashed}.eu-west-1.compute.amazonaws.com"
    assert urlsplit(load_deployment().redis_url).hostname == expected


def test_us_east_1_takes_no_location(aws):
    names = Names.of("cirrus", "123456789012", "us-east-1", "aws")
    made = [replace(part, facts={"stack": "cirrus"}) for part in describe_bucket(names)]
    for expected in ("create", "keep"):
        with Aws("us-east-1") as way:
            steps = Engine(way, print).bring(made, made, dry=False)
        assert {step.action for step in steps} == {expected}
    location = aws("s3", "us-east-1").get_bucket_location(Bucket=names.bucket)
    assert location["LocationConstraint"] is None


@pytest.mark.parametrize(
    ("region", "partition", "service"),
    [
        ("cn-north-1", "aws-cn", "ec2.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "ec2.amazonaws.com"),
    ],
)
def test_other_partitions_have_other_arns(region, partition, service):
    with Aws(region) as way:
        assert way.partition == partition
    resources = describe_everything(Names.of("cirrus", "123456789012", region, partition))
    properties = {resource.name: resource.properties for resource in resources}
    text = json.dumps(properties)
    assert f"arn:{partition}:s3:::cirrus-123456789012-{region}/runs/*" in text
    assert "arn:aws:" not in text
    trust = properties["ServerRole"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": service}


def test_a_new_stack_needs_to_know_its_server(aws, files):
    with pytest.raises(ConfigurationError, match="--server-instance"):
        deploy(**files)


def test_no_deployment_is_said_with_what_to_do(aws):
    with pytest.raises(DeployError, match="run `sklearn-cirrus deploy --stack cirrus"):
        load_deployment()
