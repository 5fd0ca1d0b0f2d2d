"""The kinds of things that the server's host consists of."""

import base64

from .aws import absent, wait_until
from .ec2 import Tagged
from .resource import Found, Kind

_SECONDS = 600.0  # to stop or to end


class Instance(Tagged):
    type, what, noun = "AWS::EC2::Instance", "host of the server", "instance"
    describe, id_key, gone = "describe_instances", "InstanceId", "InvalidInstanceID.NotFound"
    fixed = frozenset({"UserData"})  # it is read at the first start only

    def items(self, answer):
        return [host for group in answer["Reservations"] for host in group["Instances"]]

    def is_there(self, item):
        return item["State"]["Name"] not in ("shutting-down", "terminated")

    def create(self, aws, resource, properties):
        name = properties["ImageId"].removeprefix("{{resolve:ssm:").removesuffix("}}")
        image = aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        tags = properties["Tags"]
        aws.client("ec2").run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType=properties["InstanceType"],
            IamInstanceProfile={"Name": properties["IamInstanceProfile"]},
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": properties["SubnetId"],
                    "PrivateIpAddress": properties["PrivateIpAddress"],
                    "Groups": properties["SecurityGroupIds"],
                    "DeleteOnTermination": True,
                }
            ],
            UserData=properties["UserData"],
            MetadataOptions=properties["MetadataOptions"],
            BlockDeviceMappings=properties["BlockDeviceMappings"],
            TagSpecifications=[
                {"ResourceType": noun, "Tags": tags}
                for noun in ("instance", "volume", "network-interface")
            ],
        )

    def current(self, aws, resource, found, properties):
        answer = aws.client("ec2").describe_instance_attribute(
            InstanceId=found.id, Attribute="userData"
        )
        script = base64.b64decode(answer["UserData"].get("Value", "")).decode()
        return {"InstanceType": found.raw["InstanceType"], "UserData": script}

    def update(self, aws, resource, found, properties, changed):
        """Change the type, which a host must be stopped for."""
        ec2 = aws.client("ec2")
        ec2.stop_instances(InstanceIds=[found.id])
        self._wait(aws, found.id, "stopped")
        ec2.modify_instance_attribute(
            InstanceId=found.id, InstanceType={"Value": properties["InstanceType"]}
        )
        ec2.start_instances(InstanceIds=[found.id])
        self._wait(aws, found.id, "running")

    def delete(self, aws, resource, found):
        with absent(self.gone):
            aws.client("ec2").terminate_instances(InstanceIds=[found.id])
            self._wait(aws, found.id, "terminated")

    def _wait(self, aws, instance: str, state: str) -> None:
        """Wait until an instance is in a state."""

        def reached():
            answer = aws.client("ec2").describe_instances(InstanceIds=[instance])
            return self.items(answer)[0]["State"]["Name"] == state

        wait_until(reached, _SECONDS, f"the host {instance} is not {state}")


class Address(Tagged):
    type, what, noun = "AWS::EC2::EIP", "public address of the server", "elastic-ip"
    describe, list_key, id_key = "describe_addresses", "Addresses", "PublicIp"

    def is_there(self, item):
        return True

    def attributes(self, item):
        return {"AllocationId": item["AllocationId"]}

    def create(self, aws, resource, properties):
        aws.client("ec2").allocate_address(
            Domain=properties["Domain"], TagSpecifications=self.specification(properties)
        )

    def delete(self, aws, resource, found):
        with absent("InvalidAllocationID.NotFound"):
            aws.client("ec2").release_address(AllocationId=found.attributes["AllocationId"])


class AddressAssociation(Kind):
    type, what = "AWS::EC2::EIPAssociation", "association of the public address"

    def find(self, aws, resource, properties):
        allocation = properties["AllocationId"]
        if not isinstance(allocation, str):
            return None
        with absent("InvalidAllocationID.NotFound"):
            answer = aws.client("ec2").describe_addresses(AllocationIds=[allocation])
            address = answer["Addresses"][0]
            if address.get("AssociationId"):
                return Found(address["AssociationId"], raw=address)
        return None

    def create(self, aws, resource, properties):
        aws.client("ec2").associate_address(**properties)

    def current(self, aws, resource, found, properties):
        return {"InstanceId": found.raw.get("InstanceId")}

    def update(self, aws, resource, found, properties, changed):
        aws.client("ec2").associate_address(AllowReassociation=True, **properties)

    def delete(self, aws, resource, found):
        with absent("InvalidAssociationID.NotFound"):
            aws.client("ec2").disassociate_address(AssociationId=found.id)
