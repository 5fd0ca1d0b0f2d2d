"""What things are called: names, tags and ARNs of a stack.

In a CloudFormation template account, region and partition are CloudFormation's own variables
(``${AWS::Region}``); everywhere else they are known. So one description serves both.
"""

import re
from dataclasses import dataclass

from ..exceptions import ConfigurationError

STACK_TAG = "sklearn-cirrus:stack"
PART_TAG = "sklearn-cirrus:part"

# Lower case, digits and single hyphens: a part of the names of buckets, roles and parameters.
_STACK = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_STACK = 30  # a bucket's name has 63 characters: account and region need the rest
_FORBIDDEN = ("aws", "ssm", "xn-", "sthree-", "amzn-s3-demo-")  # by Parameter Store and S3
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
}


def check_stack(stack: str) -> str:
    """Return the name of a stack, or refuse it.

    Parameters
    ----------
    stack : str

    Returns
    -------
    str

    Raises
    ------
    ConfigurationError
        It cannot be a part of all the names that are made from it.
    """
    if not (isinstance(stack, str) and _STACK.fullmatch(stack) and len(stack) <= _LONGEST_STACK):
        raise ConfigurationError(
            f"the name of a stack must be 1 to {_LONGEST_STACK} lower-case letters and digits, "
            f"with single hyphens between, and begin with a letter; got {stack!r}"
        )
    if stack.startswith(_FORBIDDEN):
        raise ConfigurationError(
            f"the name of a stack may not begin with {', '.join(_FORBIDDEN)}: AWS keeps these "
            f"for itself; got {stack!r}"
        )
    return stack


@dataclass(frozen=True)
class Names:
    """The names of one stack.

    Parameters
    ----------
    stack, account, region, partition : str
        Partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    suffix : str
        Domain of the partition's services.

    Raises
    ------
    ConfigurationError
        The stack's name, or the bucket's name made from it, cannot be.
    """

    stack: str
    account: str
    region: str
    partition: str
    suffix: str

    def __post_init__(self):
        check_stack(self.stack)
        if not self.is_template and not _BUCKET.fullmatch(self.bucket):
            raise ConfigurationError(
                f"{self.bucket!r} cannot be a bucket's name: choose a shorter name of the stack"
            )

    @classmethod
    def of(cls, stack: str, account: str, region: str, partition: str) -> "Names":
        """Return the names of a stack in an account and region."""
        if partition not in _SUFFIXES:
            raise ConfigurationError(
                f"deploy knows the partitions {', '.join(_SUFFIXES)}, not {partition!r} "
                f"of the region {region}"
            )
        return cls(stack, account, region, partition, _SUFFIXES[partition])

    @classmethod
    def for_template(cls, stack: str) -> "Names":
        """Return the names with CloudFormation's variables in them."""
        return cls(
            stack,
            "${AWS::AccountId}",
            "${AWS::Region}",
            "${AWS::Partition}",
            "${AWS::URLSuffix}",
        )

    @property
    def is_template(self) -> bool:
        """Whether CloudFormation fills in account and region."""
        return self.account.startswith("$")

    @property
    def bucket(self) -> str:
        """The bucket."""
        return f"{self.stack}-{self.account}-{self.region}"

    @property
    def store_url(self) -> str:
        """The store of fits; their objects begin with ``runs/``."""
        return f"s3://{self.bucket}"

    @property
    def record(self) -> str:
        """The parameter that says what is deployed."""
        return f"/{self.stack}/deployment"

    @property
    def server_url(self) -> str:
        """The secret parameter with the url of the parameter server."""
        return f"/{self.stack}/server-url"

    def function(self, what: str) -> str:
        """Return the name of a function, ``worker`` or ``task``."""
        return f"{self.stack}-{what}"

    def log_group(self, what: str) -> str:
        """Return the log group of a function."""
        return f"/aws/lambda/{self.function(what)}"

    def role(self, what: str) -> str:
        """Return the name of a role; roles are global, so the region is in it."""
        return f"{self.stack}-{self.region}-{what}-role"

    def arn(self, service: str, resource: str, *, is_global: bool = False) -> str:
        """Return an ARN of this account."""
        region = "" if is_global else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    @property
    def public_zone(self) -> str:
        """The domain of EC2's public DNS names; that of us-east-1 is an exception."""
        zone = "compute-1" if self.region == "us-east-1" else f"{self.region}.compute"
        return f"{zone}.{self.suffix}"

    def public_host(self, address: str) -> str:
        """Return EC2's public DNS name of an address.

        Inside the VPC it means the host's private address, so one url serves client and workers.
        """
        return f"ec2-{address.replace('.', '-')}.{self.public_zone}"


def tags(stack: str, part: str) -> list[dict]:
    """Return the tags of a resource, as CloudFormation and EC2 write them."""
    return [
        {"Key": STACK_TAG, "Value": stack},
        {"Key": PART_TAG, "Value": part},
        {"Key": "Name", "Value": f"{stack}-{part}"},
    ]
