"""The network interfaces that Lambda puts into a VPC, and takes away in its own time.

Lambda removes them some time after the last function that used them was deleted or left the VPC:
usually minutes, at times more than half an hour. Until then neither the subnets nor the security
group of the functions can be deleted.
"""

from .aws import wait_until
from .resource import Found, Kind

GONE_SECONDS = 2700.0


class Interfaces(Kind):
    """Not made, only waited for: in the order of removal after the functions and the host."""

    type, what = "Interfaces", "network interfaces of the functions"

    def find(self, aws, resource, properties):
        vpc = properties["VpcId"]
        if not isinstance(vpc, str):
            return None
        return Found(vpc)

    def create(self, aws, resource, properties):
        """They come with the functions."""

    def delete(self, aws, resource, found):
        def gone():
            answer = aws.client("ec2").describe_network_interfaces(
                Filters=[{"Name": "vpc-id", "Values": [found.id]}]
            )
            return not answer["NetworkInterfaces"]

        wait_until(
            gone,
            GONE_SECONDS,
            f"Lambda did not remove its network interfaces from the VPC {found.id} "
            "(run destroy again later; it goes on from here)",
        )
