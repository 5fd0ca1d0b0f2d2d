"""The network of a deployment with a host: a VPC without a way out but to S3.

Functions are in two subnets in different zones, the host in a third. A gateway endpoint, which
costs nothing, is the way to the bucket and to Amazon Linux's packages; there is no NAT gateway.
With ``client_cidr`` the host's subnet gets a way to the internet, and the host a fixed public
address; the functions never do.
"""

from .interfaces import Interfaces
from .names import Names, tags
from .network_kinds import (
    GatewayAttachment,
    InternetGateway,
    Route,
    RouteTable,
    RouteTableAssociation,
    Subnet,
    Vpc,
    VpcEndpoint,
)
from .objects import Artifact
from .options import Options
from .policy import policy
from .resource import Resource
from .security_groups import SecurityGroup, rule

PORT = 6379
SERVER_ADDRESS = "10.73.2.10"  # fixed, so that the url is known before the host is there
_VPC = "10.73.0.0/22"
_SUBNETS = {"WorkersA": "10.73.0.0/24", "WorkersB": "10.73.1.0/24", "ServerSubnet": "10.73.2.0/24"}
_ZONES = {"WorkersA": 0, "WorkersB": 1, "ServerSubnet": 0}
_EVERYWHERE = "0.0.0.0/0"

# What Lambda is to be given.
FUNCTIONS = {
    "SubnetIds": [{"Ref": "WorkersA"}, {"Ref": "WorkersB"}],
    "SecurityGroupIds": [{"Ref": "WorkersGroup"}],
}


def describe(names: Names, options: Options, module: Artifact) -> list[Resource]:
    """Describe the network; ``module`` is what the host reads from the bucket."""

    def tagged(part: str) -> dict:
        return {"Tags": tags(names.stack, part)}

    vpc = {"Ref": "Vpc"}
    resources = [
        Resource(
            "Vpc",
            Vpc(),
            {
                "CidrBlock": _VPC,
                "EnableDnsSupport": True,
                "EnableDnsHostnames": True,
                **tagged("Vpc"),
            },
        )
    ]
    resources += [
        Resource(
            name,
            Subnet(),
            {
                "VpcId": vpc,
                "CidrBlock": block,
                "AvailabilityZone": {"Fn::Select": [_ZONES[name], {"Fn::GetAZs": ""}]},
                **tagged(name),
            },
        )
        for name, block in _SUBNETS.items()
    ]
    for table, subnets in (
        ("WorkersRoutes", ("WorkersA", "WorkersB")),
        ("ServerRoutes", ("ServerSubnet",)),
    ):
        resources.append(Resource(table, RouteTable(), {"VpcId": vpc, **tagged(table)}))
        resources += [
            Resource(
                f"{subnet}Route",
                RouteTableAssociation(),
                {"SubnetId": {"Ref": subnet}, "RouteTableId": {"Ref": table}},
            )
            for subnet in subnets
        ]
    document = policy(
        "endpoint",
        partition=names.partition,
        region=names.region,
        bucket=names.bucket,
        module_bucket=module.bucket,
        module_key=module.key,
    )
    resources.append(
        Resource(
            "S3Endpoint",
            VpcEndpoint(),
            {
                "VpcId": vpc,
                "ServiceName": f"com.amazonaws.{names.region}.s3",
                "VpcEndpointType": "Gateway",
                "RouteTableIds": [{"Ref": "WorkersRoutes"}, {"Ref": "ServerRoutes"}],
                "PolicyDocument": document,
                **tagged("S3Endpoint"),
            },
        )
    )
    resources += _security_groups(names, options, vpc, tagged)
    resources.append(Resource("Interfaces", Interfaces(), {"VpcId": vpc}))
    if options.client_cidr:
        resources += _way_out(vpc, tagged)
    return resources


def _security_groups(names, options, vpc, tagged) -> list[Resource]:
    """Describe who may talk to whom. Name service and clock of the VPC need no rule."""
    https = rule("tcp", 443, "CidrIp", _EVERYWHERE, "S3 through the endpoint")
    admitted = [
        rule("tcp", PORT, "SourceSecurityGroupId", {"Ref": "WorkersGroup"}, "the functions")
    ]
    if options.client_cidr:
        admitted.append(rule("tcp", PORT, "CidrIp", options.client_cidr, "the client"))
    return [
        Resource(
            "WorkersGroup",
            SecurityGroup(),
            {
                "GroupName": f"{names.stack}-workers",
                "GroupDescription": f"Functions of the sklearn-cirrus stack {names.stack}",
                "VpcId": vpc,
                "SecurityGroupIngress": [],
                "SecurityGroupEgress": [
                    rule("tcp", PORT, "CidrIp", _SUBNETS["ServerSubnet"], "the server"),
                    https,
                ],
                **tagged("WorkersGroup"),
            },
        ),
        Resource(
            "ServerGroup",
            SecurityGroup(),
            {
                "GroupName": f"{names.stack}-server",
                "GroupDescription": f"Server of the sklearn-cirrus stack {names.stack}",
                "VpcId": vpc,
                "SecurityGroupIngress": admitted,
                "SecurityGroupEgress": [https],
                **tagged("ServerGroup"),
            },
        ),
    ]


def _way_out(vpc, tagged) -> list[Resource]:
    """Describe the way between the internet and the host's subnet."""
    return [
        Resource("Gateway", InternetGateway(), tagged("Gateway")),
        Resource(
            "GatewayAttachment",
            GatewayAttachment(),
            {"VpcId": vpc, "InternetGatewayId": {"Ref": "Gateway"}},
        ),
        Resource(
            "ServerWayOut",
            Route(),
            {
                "RouteTableId": {"Ref": "ServerRoutes"},
                "DestinationCidrBlock": _EVERYWHERE,
                "GatewayId": {"Ref": "Gateway"},
            },
            after=("GatewayAttachment",),
        ),
    ]
