"""The policies give what is needed, and nothing more."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import numpy as np
import pytest

import sklearn_cirrus.deploy
from cirrus_runtime.dataset_objects import MANIFEST, PLAN, block_name, part_name, put_block
from cirrus_runtime.pivot import piece_name
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.tables import TableBlock
from sklearn_cirrus.deploy.names import Names
from sklearn_cirrus.deploy.plan import describe_everything
from tests.deploy.conftest import REGION

FOLDER = Path(sklearn_cirrus.deploy.__file__).parent / "policies"
BUCKET = "arn:aws:s3:::cirrus-123456789012-eu-west-1"
LOG = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/cirrus"
INTERFACES = {
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
}


@pytest.fixture(scope="module")
def policies():
    """All policies of a stack by the names of their resources, as sets of what they say."""
    names = Names.of("cirrus", "123456789012", "eu-west-1", "aws")
    found = {}
    for resource in describe_everything(names):
        for key in ("PolicyDocument", "AssumeRolePolicyDocument"):
            if key in resource.properties:
                found[resource.name] = resource.properties[key]["Statement"]
    return found


def flat(statements, effect="Allow"):
    """The (action, resource) pairs of statements."""
    return {
        (action, resource)
        for statement in statements
        if statement["Effect"] == effect
        for action in _list(statement["Action"])
        for resource in _list(statement.get("Resource", ()))
    }


def _list(value):
    return [value] if isinstance(value, str) else value


def test_every_role_and_policy_is_one_of_the_files(policies):
    assert set(policies) == {
        *("BucketPolicy", "S3Endpoint"),
        *("WorkerRole", "WorkerRight", "WorkerVpcRight"),
        *("TaskRole", "TaskRight", "TaskVpcRight"),
        *("ServerRole", "ServerRight"),
    }


def test_a_worker_reads_runs_and_datasets_and_writes_blocks_and_its_log(policies):
    assert flat(policies["WorkerRight"]) == {
        ("s3:GetObject", f"{BUCKET}/runs/*"),
        ("s3:GetObject", f"{BUCKET}/datasets/*"),
        ("s3:PutObject", f"{BUCKET}/datasets/*block-*.safetensors"),
        ("s3:PutObject", f"{BUCKET}/datasets/*labels-*.safetensors"),
        ("s3:PutObject", f"{BUCKET}/datasets/*part-*.json"),
        ("s3:PutObject", f"{BUCKET}/datasets/*part-*.safetensors"),
        ("s3:PutObject", f"{BUCKET}/runs/*/block-*.safetensors"),
        ("s3:PutObject", f"{BUCKET}/runs/*/part-*.safetensors"),
        ("logs:CreateLogStream", f"{LOG}-worker:*"),
        ("logs:PutLogEvents", f"{LOG}-worker:*"),
    }


@pytest.fixture
def may_write(policies):
    """Return whether a worker may write an object of the bucket; IAM's * is fnmatch's."""
    patterns = [
        resource for action, resource in flat(policies["WorkerRight"]) if action == "s3:PutObject"
    ]
    return lambda key: any(fnmatchcase(f"{BUCKET}/{key}", pattern) for pattern in patterns)


@pytest.mark.parametrize("place", ["datasets", "datasets/clicks", "datasets/a/b-1"])
def test_a_worker_writes_all_that_loading_and_persisting_write(may_write, place):
    written = []

    class Recorder(MemoryStore):
        def put(self, name, data):
            written.append(f"{place}/{name}")

    table = TableBlock(("a",), (np.zeros(1),), np.zeros(1, np.float32))
    put_block(Recorder(), block_name(3, 2), table, [0])
    assert len(written) == 2
    pieces = [f"{place}/{part_name(7)}", f"{place}/{piece_name(7, 1)}"]
    assert all(map(may_write, [*written, *pieces]))
    # Of ratings that a fit deals out for itself.
    assert may_write(f"runs/0123/{block_name(3)}") and may_write(f"runs/0123/{piece_name(7, 1)}")


def test_a_worker_writes_nothing_else(may_write):
    for key in (
        *(f"datasets/clicks/{name}" for name in (MANIFEST, PLAN, "day_0.tsv", "day_0.tsv.gz")),
        *("runs/1/train-000001.safetensors", "runs/1/valid-000001.safetensors"),
        *("runs/1/job-000001.json", "runs/1/checkpoint-000001", "block-000000-000.safetensors"),
        *("cirrus-module.so", "server/ready/1", "datasets/block-000000-000.safetensors.exe"),
    ):
        assert not may_write(key), key


def test_a_task_also_writes_what_it_returns(policies):
    assert flat(policies["TaskRight"]) == {
        ("s3:GetObject", f"{BUCKET}/runs/*"),
        ("s3:PutObject", f"{BUCKET}/runs/*"),
        ("logs:CreateLogStream", f"{LOG}-task:*"),
        ("logs:PutLogEvents", f"{LOG}-task:*"),
    }


def test_a_host_reads_the_module_and_says_that_it_is_ready(policies):
    assert flat(policies["ServerRight"]) == {
        ("s3:GetObject", f"{BUCKET}/nothing"),  # the key of the module of describe_everything
        ("s3:PutObject", f"{BUCKET}/server/ready/*"),
    }


@pytest.mark.parametrize("what", ["worker", "task"])
def test_only_lambda_itself_touches_interfaces(policies, what):
    allow, deny = policies[f"{what.capitalize()}VpcRight"]
    assert flat([allow]) == {(action, "*") for action in INTERFACES}
    assert flat([deny], "Deny") == flat([allow])
    assert deny["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": [
                f"arn:aws:lambda:eu-west-1:123456789012:function:cirrus-{what}"
            ]
        }
    }


def test_roles_are_for_one_service_each(policies):
    services = {
        name: [statement["Principal"]["Service"] for statement in policies[name]]
        for name in ("WorkerRole", "TaskRole", "ServerRole")
    }
    assert services == {
        "WorkerRole": ["lambda.amazonaws.com"],
        "TaskRole": ["lambda.amazonaws.com"],
        "ServerRole": ["ec2.amazonaws.com"],
    }


def test_the_endpoint_leads_to_our_bucket_and_to_packages(policies):
    assert flat(policies["S3Endpoint"]) == {
        ("s3:GetObject", f"{BUCKET}/*"),
        ("s3:PutObject", f"{BUCKET}/*"),
        ("s3:GetObject", f"{BUCKET}/nothing"),
        ("s3:GetObject", "arn:aws:s3:::al2023-repos-eu-west-1-de612dc2/*"),
    }


def test_the_bucket_refuses_whoever_comes_without_tls(policies):
    (statement,) = policies["BucketPolicy"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert set(statement["Resource"]) == {BUCKET, f"{BUCKET}/*"}


def test_a_star_for_all_resources_stands_only_where_the_readme_says_why(policies):
    bare = {
        name
        for name, statements in policies.items()
        for statement in statements
        if "*" in _list(statement.get("Resource", ()))
    }
    assert bare == {"WorkerVpcRight", "TaskVpcRight"}
    readme = (FOLDER / "README.md").read_text()
    assert {f"{word}.json" for word in re.findall(r"`([a-z-]+)\.json`", readme)} == {
        path.name for path in FOLDER.glob("*.json")
    }
    for path in FOLDER.glob("*.json"):
        actions = re.findall(r'"([a-z0-9]+:[A-Za-z*]+)"', path.read_text())
        wild = [action for action in actions if "*" in action]
        assert wild == (["s3:*"] if path.name == "bucket.json" else []), path.name


# S3's operations: the right that each needs.
RIGHTS = {"GetObject": "s3:GetObject", "HeadObject": "s3:GetObject"} | dict.fromkeys(
    ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), "s3:PutObject"
)


def test_a_workers_store_calls_nothing_that_its_role_lacks(aws, policies):
    s3 = aws("s3")
    s3.create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="a-bucket", Key="runs/id/block", Body=bytes(20 << 20))  # in parts
    called = set()
    session = boto3.Session()
    session.events.register("before-call.s3", lambda model, **_: called.add(model.name))
    original, boto3.Session = boto3.Session, lambda: session
    try:
        with open_store("s3://a-bucket") as store:
            assert len(store.get("runs/id/block")) == 20 << 20
            store.put("datasets/mine/block", bytes(20 << 20))
    finally:
        boto3.Session = original
    assert {RIGHTS[name] for name in called} == {
        action for action, _ in flat(policies["WorkerRight"]) if action.startswith("s3:")
    }


def test_policies_are_within_iams_limits(policies):
    for name, statements in policies.items():
        assert len(json.dumps(statements, separators=(",", ":"))) < 2000, name
