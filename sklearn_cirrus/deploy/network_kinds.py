"""The kinds of things that a network consists of."""

import json

from .aws import absent
from .ec2 import Tagged
from .resource import Found, Kind


class Vpc(Tagged):
    type, what, noun = "AWS::EC2::VPC", "VPC", "vpc"
    describe, list_key, id_key = "describe_vpcs", "Vpcs", "VpcId"
    remove, gone = "delete_vpc", "InvalidVpcID.NotFound"

    def create(self, aws, resource, properties):
        aws.client("ec2").create_vpc(
            CidrBlock=properties["CidrBlock"], TagSpecifications=self.specification(properties)
        )

    def current(self, aws, resource, found, properties):
        ec2 = aws.client("ec2")
        return {
            name: ec2.describe_vpc_attribute(VpcId=found.id, Attribute=attribute)[name]["Value"]
            for name, attribute in (
                ("EnableDnsSupport", "enableDnsSupport"),
                ("EnableDnsHostnames", "enableDnsHostnames"),
            )
        }

    def update(self, aws, resource, found, properties, changed):
        for name in sorted(changed, reverse=True):  # names need the name service
            aws.client("ec2").modify_vpc_attribute(
                VpcId=found.id, **{name: {"Value": properties[name]}}
            )


class Subnet(Tagged):
    type, what, noun = "AWS::EC2::Subnet", "subnet", "subnet"
    describe, list_key, id_key = "describe_subnets", "Subnets", "SubnetId"
    remove, gone = "delete_subnet", "InvalidSubnetID.NotFound"

    def create(self, aws, resource, properties):
        aws.client("ec2").create_subnet(
            VpcId=properties["VpcId"],
            CidrBlock=properties["CidrBlock"],
            AvailabilityZone=properties["AvailabilityZone"],
            TagSpecifications=self.specification(properties),
        )


class RouteTable(Tagged):
    type, what, noun = "AWS::EC2::RouteTable", "route table", "route-table"
    describe, list_key, id_key = "describe_route_tables", "RouteTables", "RouteTableId"
    remove, gone = "delete_route_table", "InvalidRouteTableID.NotFound"

    def create(self, aws, resource, properties):
        aws.client("ec2").create_route_table(
            VpcId=properties["VpcId"], TagSpecifications=self.specification(properties)
        )


def _table(aws, table) -> dict | None:
    """Describe a route table, None if it is not there."""
    if isinstance(table, str):
        with absent("InvalidRouteTableID.NotFound"):
            return aws.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    return None


class RouteTableAssociation(Kind):
    type, what = "AWS::EC2::SubnetRouteTableAssociation", "routes of a subnet"

    def find(self, aws, resource, properties):
        table = _table(aws, properties["RouteTableId"])
        for association in table["Associations"] if table else ():
            if association.get("SubnetId") == properties["SubnetId"]:
                return Found(association["RouteTableAssociationId"])
        return None

    def create(self, aws, resource, properties):
        aws.client("ec2").associate_route_table(
            SubnetId=properties["SubnetId"], RouteTableId=properties["RouteTableId"]
        )

    def delete(self, aws, resource, found):
        with absent("InvalidAssociationID.NotFound"):
            aws.client("ec2").disassociate_route_table(AssociationId=found.id)


class Route(Kind):
    type, what = "AWS::EC2::Route", "route to the internet"

    def find(self, aws, resource, properties):
        table = _table(aws, properties["RouteTableId"])
        for route in table["Routes"] if table else ():
            if route.get("DestinationCidrBlock") == properties["DestinationCidrBlock"]:
                return Found(table["RouteTableId"], raw=route)
        return None

    def create(self, aws, resource, properties):
        aws.client("ec2").create_route(**properties)

    def delete(self, aws, resource, found):
        with absent("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"):
            aws.client("ec2").delete_route(
                RouteTableId=found.id, DestinationCidrBlock=found.raw["DestinationCidrBlock"]
            )


class VpcEndpoint(Tagged):
    type, what, noun = "AWS::EC2::VPCEndpoint", "endpoint for S3", "vpc-endpoint"
    describe, list_key, id_key = "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"

    def is_there(self, item):
        return item["State"].lower() not in ("deleting", "deleted")

    def create(self, aws, resource, properties):
        aws.client("ec2").create_vpc_endpoint(
            VpcId=properties["VpcId"],
            ServiceName=properties["ServiceName"],
            VpcEndpointType=properties["VpcEndpointType"],
            RouteTableIds=properties["RouteTableIds"],
            PolicyDocument=json.dumps(properties["PolicyDocument"]),
            TagSpecifications=self.specification(properties),
        )

    def current(self, aws, resource, found, properties):
        tables, wanted = found.raw["RouteTableIds"], properties["RouteTableIds"]
        same = sorted(tables) == sorted(wanted, key=str)
        return {
            "PolicyDocument": json.loads(found.raw.get("PolicyDocument") or "null"),
            "RouteTableIds": wanted if same else tables,
        }

    def update(self, aws, resource, found, properties, changed):
        settings = {}
        if "PolicyDocument" in changed:
            settings["PolicyDocument"] = json.dumps(properties["PolicyDocument"])
        if "RouteTableIds" in changed:
            now = found.raw["RouteTableIds"]
            settings["AddRouteTableIds"] = [t for t in properties["RouteTableIds"] if t not in now]
        aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=found.id, **settings)

    def delete(self, aws, resource, found):
        aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[found.id])


class InternetGateway(Tagged):
    type, what, noun = "AWS::EC2::InternetGateway", "internet gateway", "internet-gateway"
    describe, list_key = "describe_internet_gateways", "InternetGateways"
    id_key = "InternetGatewayId"
    remove, gone = "delete_internet_gateway", "InvalidInternetGatewayID.NotFound"

    def create(self, aws, resource, properties):
        aws.client("ec2").create_internet_gateway(TagSpecifications=self.specification(properties))


class GatewayAttachment(Kind):
    type, what = "AWS::EC2::VPCGatewayAttachment", "attachment of the internet gateway"

    def find(self, aws, resource, properties):
        gateway = properties["InternetGatewayId"]
        if not isinstance(gateway, str):
            return None
        with absent("InvalidInternetGatewayID.NotFound"):
            answer = aws.client("ec2").describe_internet_gateways(InternetGatewayIds=[gateway])
            for attachment in answer["InternetGateways"][0]["Attachments"]:
                if attachment["VpcId"] == properties["VpcId"]:
                    return Found(gateway, raw=attachment)
        return None

    def create(self, aws, resource, properties):
        aws.client("ec2").attach_internet_gateway(
            VpcId=properties["VpcId"], InternetGatewayId=properties["InternetGatewayId"]
        )

    def delete(self, aws, resource, found):
        with absent("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound"):
            aws.client("ec2").detach_internet_gateway(
                VpcId=found.raw["VpcId"], InternetGatewayId=found.id
            )
