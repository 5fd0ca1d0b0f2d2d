"""Security groups, and their rules as CloudFormation and as EC2 write them."""

from .ec2 import Tagged

_SOURCES = ("CidrIp", "SourceSecurityGroupId")


def rule(protocol: str, port: int, source: str, value, description: str) -> dict:
    """Return a rule for one port as CloudFormation writes it.

    Parameters
    ----------
    protocol : str
    port : int
    source : {"CidrIp", "SourceSecurityGroupId"}
        Of whom, for a rule about what comes in; the same word serves for what goes out.
    value : str or dict
    description : str
    """
    return {
        "IpProtocol": protocol,
        "FromPort": port,
        "ToPort": port,
        source: value,
        "Description": description,
    }


class SecurityGroup(Tagged):
    type, what, noun = "AWS::EC2::SecurityGroup", "security group", "security-group"
    describe, list_key, id_key = "describe_security_groups", "SecurityGroups", "GroupId"
    remove, gone = "delete_security_group", "InvalidGroup.NotFound"

    def create(self, aws, resource, properties):
        aws.client("ec2").create_security_group(
            GroupName=properties["GroupName"],
            Description=properties["GroupDescription"],
            VpcId=properties["VpcId"],
            TagSpecifications=self.specification(properties),
        )

    def current(self, aws, resource, found, properties):
        now = {
            "SecurityGroupIngress": found.raw["IpPermissions"],
            "SecurityGroupEgress": found.raw["IpPermissionsEgress"],
        }
        return {
            name: properties[name] if _flat(there) == _wanted(properties[name]) else there
            for name, there in now.items()
        }

    def update(self, aws, resource, found, properties, changed):
        ec2 = aws.client("ec2")
        for name, there, revoke, authorize in (
            (
                *("SecurityGroupIngress", "IpPermissions"),
                *(ec2.revoke_security_group_ingress, ec2.authorize_security_group_ingress),
            ),
            (
                *("SecurityGroupEgress", "IpPermissionsEgress"),
                *(ec2.revoke_security_group_egress, ec2.authorize_security_group_egress),
            ),
        ):
            if name not in changed:
                continue
            now, wanted = _flat(found.raw[there]), _wanted(properties[name])
            if now - wanted:
                revoke(GroupId=found.id, IpPermissions=[_permission(*r) for r in now - wanted])
            if wanted - now:
                authorize(GroupId=found.id, IpPermissions=[_permission(*r) for r in wanted - now])


def _flat(permissions) -> set[tuple]:
    """Return EC2's permissions as a set of (protocol, first port, last port, source)."""
    rules = set()
    for item in permissions:
        ports = (item["IpProtocol"], item.get("FromPort"), item.get("ToPort"))
        sources = [entry["CidrIp"] for entry in item.get("IpRanges", ())]
        sources += [entry["CidrIpv6"] for entry in item.get("Ipv6Ranges", ())]
        sources += [entry["PrefixListId"] for entry in item.get("PrefixListIds", ())]
        sources += [entry["GroupId"] for entry in item.get("UserIdGroupPairs", ())]
        rules |= {(*ports, source) for source in sources}
    return rules


def _wanted(rules) -> set[tuple]:
    """Return CloudFormation's rules in the same form."""
    return {
        (
            *(item["IpProtocol"], item["FromPort"], item["ToPort"]),
            next(_hashable(item[source]) for source in _SOURCES if source in item),
        )
        for item in rules
    }


def _hashable(source):
    """Stand in for a group that is not there yet."""
    return source if isinstance(source, str) else ""


def _permission(protocol, first, last, source) -> dict:
    """Return one permission as EC2 takes it."""
    if source.startswith("sg-"):
        place = {"UserIdGroupPairs": [{"GroupId": source}]}
    elif source.startswith("pl-"):
        place = {"PrefixListIds": [{"PrefixListId": source}]}
    elif ":" in source:
        place = {"Ipv6Ranges": [{"CidrIpv6": source}]}
    else:
        place = {"IpRanges": [{"CidrIp": source}]}
    ports = {} if first is None else {"FromPort": first, "ToPort": last}
    return {"IpProtocol": protocol, **ports, **place}
