"""Destroy: what it takes away, what it leaves, and what it waits for."""

import pytest

from sklearn_cirrus.deploy import deploy, destroy, interfaces
from sklearn_cirrus.exceptions import DeployError
from tests.deploy.account import counts, snapshot

BUCKET = "cirrus-123456789012-eu-west-1"
HOST = {"server": "host", "instance": "t4g.medium"}


def keys(client):
    return [entry["Key"] for entry in client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]


def test_runs_and_unfinished_uploads_go_with_the_bucket(aws, files):
    clean = counts(aws)
    deploy(**files, server="none")
    s3 = aws("s3")
    s3.put_object(Bucket=BUCKET, Key="runs/id/block-0", Body=b"rows")
    s3.create_multipart_upload(Bucket=BUCKET, Key="runs/id/block-1")
    destroy()
    assert counts(aws) == clean
    assert destroy() == []


def test_objects_of_others_keep_the_bucket(aws, files):
    deploy(**files, server="none")
    s3 = aws("s3")
    for key in ("runs/id/block-0", "mine/data.csv", "runs-of-mine"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"rows")
    said = []
    destroy(report=said.append)
    assert keys(aws) == ["mine/data.csv", "runs-of-mine"]
    assert any("not of this stack's runs and was kept" in sentence for sentence in said)
    assert list(snapshot(aws)) == [f"bucket {BUCKET}"]
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"]  # still over TLS only

    s3.delete_object(Bucket=BUCKET, Key="mine/data.csv")
    s3.delete_object(Bucket=BUCKET, Key="runs-of-mine")
    destroy()
    assert snapshot(aws) == {}


def test_what_bears_no_tag_is_left(aws, files):
    s3, logs = aws("s3"), aws("logs")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="runs/mine", Body=b"rows")
    logs.create_log_group(logGroupName="/aws/lambda/cirrus-worker")
    aws("ssm").put_parameter(Name="/cirrus/server-url", Type="SecureString", Value="mine")
    said = []
    destroy(report=said.append)
    assert keys(aws) == ["runs/mine"]
    assert len(logs.describe_log_groups()["logGroups"]) == 1
    assert aws("ssm").get_parameter(Name="/cirrus/server-url")
    assert [sentence.partition(" is not of")[0] for sentence in said] == [
        f"bucket {BUCKET}",
        "parameter /cirrus/server-url",
        "log group /aws/lambda/cirrus-worker",
    ]


def test_lambdas_interfaces_are_waited_for_but_not_for_ever(aws, files, hosts, monkeypatch):
    deploy(**files, **HOST)
    ec2 = aws("ec2")
    filters = [{"Name": "tag:sklearn-cirrus:part", "Values": ["WorkersA"]}]
    (subnet,) = ec2.describe_subnets(Filters=filters)["Subnets"]
    made = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]

    with monkeypatch.context() as patch:
        patch.setattr(interfaces, "GONE_SECONDS", 0.05)
        with pytest.raises(DeployError, match="interfaces.*run destroy again later"):
            destroy()
    left = snapshot(aws)
    assert "subnet WorkersA" in left and "function cirrus-worker" not in left
    # Lambda needs its rights to take the interface away.
    assert "vpc" in left["role cirrus-eu-west-1-worker-role"][1]

    looks = []

    def look(**_):
        looks.append(None)
        if len(looks) == 3:
            ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])

    event = "before-call.ec2.DescribeNetworkInterfaces"
    ec2.meta.events.register(event, look)
    try:
        destroy()
    finally:
        ec2.meta.events.unregister(event, look)
    assert len(looks) == 3
    assert snapshot(aws) == {}
