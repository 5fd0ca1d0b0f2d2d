"""Roles: what the functions and the server's host may do, and no more.

The policies are files in ``policies/``; its README says why each right is there.
"""

import json

from .aws import absent
from .names import Names, tags
from .objects import Artifact
from .policy import policy
from .resource import Found, Kind, NotOurs, Resource, belongs


def describe_function_role(names: Names, what: str, in_vpc: bool) -> list[Resource]:
    """Describe the role of a function, ``worker`` or ``task``."""
    values = {
        "partition": names.partition,
        "region": names.region,
        "account": names.account,
        "bucket": names.bucket,
        "log_group": names.log_group(what),
        "function": names.function(what),
    }
    name = f"{what.capitalize()}Role"
    resources = [
        _role(names, name, what, policy("lambda-trust")),
        _right(f"{what.capitalize()}Right", name, "runs-and-log", policy(what, **values)),
    ]
    if in_vpc:
        # Apart from the other, as Lambda needs it until its network interfaces are gone.
        right = f"{what.capitalize()}VpcRight"
        resources.append(_right(right, name, "vpc", policy("vpc", **values)))
    return resources


def _role(names: Names, name: str, what: str, trust: dict) -> Resource:
    """Describe a role."""
    return Resource(
        name,
        Role(),
        {
            "RoleName": names.role(what),
            "AssumeRolePolicyDocument": trust,
            "Tags": tags(names.stack, name),
        },
    )


def _right(name: str, role: str, label: str, document: dict) -> Resource:
    """Describe a policy of a role."""
    return Resource(
        name,
        RolePolicy(),
        {"RoleName": {"Ref": role}, "PolicyName": label, "PolicyDocument": document},
    )


def describe_server_role(names: Names, module: Artifact) -> list[Resource]:
    """Describe the role of the server's host, and the profile by which EC2 gives it."""
    document = policy(
        "server",
        partition=names.partition,
        bucket=names.bucket,
        module_bucket=module.bucket,
        module_key=module.key,
    )
    return [
        _role(names, "ServerRole", "server", policy("server-trust", suffix=names.suffix)),
        _right("ServerRight", "ServerRole", "module-and-mark", document),
        Resource(
            "ServerProfile",
            InstanceProfile(),
            {"InstanceProfileName": names.role("server"), "Roles": [{"Ref": "ServerRole"}]},
        ),
    ]


class Role(Kind):
    type = "AWS::IAM::Role"
    what = "role"

    def find(self, aws, resource, properties):
        with absent("NoSuchEntity"):
            role = aws.client("iam").get_role(RoleName=properties["RoleName"])["Role"]
            if not belongs(role.get("Tags"), resource.facts["stack"]):
                raise NotOurs(f"role {properties['RoleName']}")
            return Found(role["RoleName"], {"Arn": role["Arn"]}, role)
        return None

    def create(self, aws, resource, properties):
        aws.client("iam").create_role(
            RoleName=properties["RoleName"],
            AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
            Description=f"Made by sklearn-cirrus deploy for the stack {resource.facts['stack']}",
            Tags=properties["Tags"],
        )

    def current(self, aws, resource, found, properties):
        return {"AssumeRolePolicyDocument": found.raw["AssumeRolePolicyDocument"]}

    def update(self, aws, resource, found, properties, changed):
        aws.client("iam").update_assume_role_policy(
            RoleName=found.id, PolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"])
        )

    def delete(self, aws, resource, found):
        iam = aws.client("iam")
        with absent("NoSuchEntity"):
            for label in iam.list_role_policies(RoleName=found.id)["PolicyNames"]:
                iam.delete_role_policy(RoleName=found.id, PolicyName=label)
            iam.delete_role(RoleName=found.id)


class RolePolicy(Kind):
    type = "AWS::IAM::RolePolicy"
    what = "right of a role"

    def find(self, aws, resource, properties):
        if isinstance(properties["RoleName"], str):
            with absent("NoSuchEntity"):
                answer = aws.client("iam").get_role_policy(
                    RoleName=properties["RoleName"], PolicyName=properties["PolicyName"]
                )
                return Found(properties["PolicyName"], raw=answer)
        return None

    def create(self, aws, resource, properties):
        aws.client("iam").put_role_policy(
            RoleName=properties["RoleName"],
            PolicyName=properties["PolicyName"],
            PolicyDocument=json.dumps(properties["PolicyDocument"]),
        )

    def current(self, aws, resource, found, properties):
        return {"PolicyDocument": found.raw["PolicyDocument"]}

    def update(self, aws, resource, found, properties, changed):
        self.create(aws, resource, properties)

    def delete(self, aws, resource, found):
        with absent("NoSuchEntity"):
            aws.client("iam").delete_role_policy(
                RoleName=found.raw["RoleName"], PolicyName=found.id
            )


class InstanceProfile(Kind):
    """CloudFormation cannot tag a profile: it counts as ours if it holds our role or none."""

    type = "AWS::IAM::InstanceProfile"
    what = "instance profile"

    def find(self, aws, resource, properties):
        name = properties["InstanceProfileName"]
        with absent("NoSuchEntity"):
            answer = aws.client("iam").get_instance_profile(InstanceProfileName=name)
            profile = answer["InstanceProfile"]
            roles = [role["RoleName"] for role in profile["Roles"]]
            # The profile is named like its role, which alone bears the stack's tag.
            if roles not in ([], [name]):
                raise NotOurs(f"instance profile {name}")
            return Found(name, {"Arn": profile["Arn"]}, roles)
        return None

    def create(self, aws, resource, properties):
        aws.client("iam").create_instance_profile(
            InstanceProfileName=properties["InstanceProfileName"]
        )

    def current(self, aws, resource, found, properties):
        return {"Roles": found.raw}

    def update(self, aws, resource, found, properties, changed):
        for role in properties["Roles"]:
            aws.client("iam").add_role_to_instance_profile(
                InstanceProfileName=found.id, RoleName=role
            )

    def delete(self, aws, resource, found):
        iam = aws.client("iam")
        with absent("NoSuchEntity"):
            for role in found.raw:
                iam.remove_role_from_instance_profile(InstanceProfileName=found.id, RoleName=role)
            iam.delete_instance_profile(InstanceProfileName=found.id)
