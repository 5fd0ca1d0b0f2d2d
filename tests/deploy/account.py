"""What is in an account, read through boto3 and independent of the code that put it there."""

import base64
import json
import re

STACK, PART = "sklearn-cirrus:stack", "sklearn-cirrus:part"
# What differs from one deployment to the next: the password's hash, the public address.
_CHANCE = re.compile(r"[0-9a-f]{64}|(?<=public_address=.\")[\d.]+")


def tags_of(item):
    """The tags of a description as a dict."""
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags") or item.get("TagSet") or ()}


def _ec2_items(ec2):
    """(id, description) of all that EC2 has, but for hosts that have ended."""
    for call, key, id_key in (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("describe_volumes", "Volumes", "VolumeId"),
    ):
        for item in getattr(ec2, call)()[key]:
            if str(item.get("State")).lower() != "deleted":
                yield item[id_key], item
    for reservation in ec2.describe_instances()["Reservations"]:
        for item in reservation["Instances"]:
            if item["State"]["Name"] != "terminated":
                yield item["InstanceId"], item


def counts(client):
    """How many things of each kind there are, whether tagged or not."""
    found = {}
    for name, _ in _ec2_items(client("ec2")):
        kind = name.partition("-")[0]
        found[kind] = found.get(kind, 0) + 1
    found["roles"] = len(client("iam").list_roles()["Roles"])
    found["profiles"] = len(client("iam").list_instance_profiles()["InstanceProfiles"])
    found["functions"] = len(client("lambda").list_functions()["Functions"])
    found["logs"] = len(client("logs").describe_log_groups()["logGroups"])
    found["buckets"] = len(client("s3").list_buckets()["Buckets"])
    found["parameters"] = len(_parameters(client("ssm")))
    return found


def snapshot(client):
    """All that bears a stack's tag, with ids replaced by the names of parts, without secrets."""
    ec2 = client("ec2")
    items = {name: item for name, item in _ec2_items(ec2) if STACK in tags_of(item)}
    parts = {name: tags_of(item)[PART] for name, item in items.items()}
    taken = {}
    for name, item in items.items():
        what = name.partition("-")[0]
        if what in ("eni", "vol"):  # of the host, and described with it
            continue
        description = _essential(ec2, name, item)
        text = json.dumps(description, sort_keys=True, default=str)
        for other, part in parts.items():
            text = text.replace(other, part)
        text = _CHANCE.sub("...", text)
        description = json.loads(text)
        for key in ("subnets", "RouteTableIds"):  # which come in the order of their ids
            if key in description:
                description[key].sort()
        taken.setdefault(f"{what} {parts[name]}", []).append(description)
    return taken | _roles(client("iam")) | _functions(client) | _bucket(client("s3")) | _ssm(client)


def _essential(ec2, name, item):
    """The fields of a description that deploy decides on."""
    keys = (
        *("CidrBlock", "VpcId", "AvailabilityZone", "ServiceName", "PolicyDocument"),
        *("RouteTableIds", "IpPermissions", "IpPermissionsEgress", "GroupName"),
        *("Attachments", "InstanceId", "InstanceType", "SubnetId", "PrivateIpAddress"),
    )
    kept = {key: item[key] for key in keys if key in item}
    if name.startswith("i-"):
        kept.pop("InstanceId")
        answer = ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")
        kept["script"] = base64.b64decode(answer["UserData"]["Value"]).decode()
        (interface,) = item["NetworkInterfaces"]
        kept["groups"] = [group["GroupId"] for group in interface["Groups"]]
        kept["profile"] = item["IamInstanceProfile"]["Arn"]
    if name.startswith("vpc-"):
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            kept[attribute] = ec2.describe_vpc_attribute(VpcId=name, Attribute=attribute)[
                attribute[0].upper() + attribute[1:]
            ]["Value"]
    if name.startswith("rtb-"):
        kept["routes"] = [
            (r.get("DestinationCidrBlock"), r.get("GatewayId")) for r in item["Routes"]
        ]
        kept["subnets"] = [a["SubnetId"] for a in item["Associations"] if "SubnetId" in a]
    return kept


def _roles(iam):
    """Roles with their policies, and instance profiles."""
    found = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = {
            label: iam.get_role_policy(RoleName=name, PolicyName=label)["PolicyDocument"]
            for label in iam.list_role_policies(RoleName=name)["PolicyNames"]
        }
        found[f"role {name}"] = [role["AssumeRolePolicyDocument"], policies]
    for profile in iam.list_instance_profiles()["InstanceProfiles"]:
        roles = [role["RoleName"] for role in profile["Roles"]]
        found[f"profile {profile['InstanceProfileName']}"] = roles
    return found


def _functions(client):
    """Functions and log groups."""
    found, functions = {}, client("lambda")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        for volatile in ("LastModified", "VpcConfig", "RevisionId"):
            function.pop(volatile, None)
        details = functions.get_function(FunctionName=name)
        network = details["Configuration"].get("VpcConfig", {})
        rule = functions.get_function_event_invoke_config(FunctionName=name)
        found[f"function {name}"] = [
            function,
            *(details.get("Concurrency"), details["Tags"]),
            [len(network.get(key, ())) for key in ("SubnetIds", "SecurityGroupIds")],
            [rule["MaximumRetryAttempts"], rule["MaximumEventAgeInSeconds"]],
        ]
    for group in client("logs").describe_log_groups()["logGroups"]:
        found[f"log {group['logGroupName']}"] = group.get("retentionInDays")
    return found


def _bucket(s3):
    """Buckets with their settings and the keys in them."""
    found = {}
    for bucket in s3.list_buckets()["Buckets"]:
        name = {"Bucket": bucket["Name"]}
        keys = [entry["Key"] for entry in s3.list_objects_v2(**name).get("Contents", ())]
        found[f"bucket {bucket['Name']}"] = [
            sorted(re.sub(r"ready/i-\w+", "ready/i", key) for key in keys),
            s3.get_bucket_tagging(**name)["TagSet"],
            s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"],
            s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"],
            s3.get_bucket_ownership_controls(**name)["OwnershipControls"],
            s3.get_bucket_lifecycle_configuration(**name)["Rules"],
            json.loads(s3.get_bucket_policy(**name)["Policy"]),
        ]
    return found


def _ssm(client):
    """Parameters, the values of those that are no secret."""
    found = {}
    for parameter in _parameters(client("ssm")):
        name = parameter["Name"]
        value = client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        secret = parameter["Type"] == "SecureString"
        found[f"parameter {name}"] = [
            parameter["Type"],
            None if secret else re.sub(r"\d+\.\d+\.\d+\.\d+:", "...:", value),
        ]
    return found


def _parameters(ssm):
    """Parameters but for AWS's own."""
    pages = ssm.get_paginator("describe_parameters").paginate()
    every = [entry for page in pages for entry in page["Parameters"]]
    return [entry for entry in every if not entry["Name"].startswith("/aws/")]
