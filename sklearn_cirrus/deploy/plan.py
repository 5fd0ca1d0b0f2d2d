"""All resources of a stack, in the order in which they are made."""

from dataclasses import dataclass, replace

from . import bucket, functions, host, network, objects, record, roles, server_url
from .names import Names
from .objects import Artifact
from .options import Options
from .resource import Resource


@dataclass(frozen=True)
class Artifacts:
    """The files that a stack is made from; None where it needs none."""

    worker: Artifact
    task: Artifact | None = None
    module: Artifact | None = None


def describe_stack(
    names: Names,
    options: Options,
    artifacts: Artifacts,
    *,
    runtime: str,
    redis_url: str | None = None,
    password_sha256: str = "${ServerUrl.PasswordSha256}",
) -> list[Resource]:
    """Describe everything that a stack consists of.

    Parameters
    ----------
    names : Names
    options : Options
    artifacts : Artifacts
    runtime : str
        Version of sklearn_cirrus in the functions.
    redis_url : str, optional
        With ``options.server == "url"``: the url; None keeps the one that is there.
    password_sha256 : str
        A reference to the SHA-256 of the host's password.

    Returns
    -------
    list of Resource
        Each after all that it needs.
    """
    resources = bucket.describe(names)
    resources.append(objects.describe("WorkerCode", artifacts.worker))
    if options.task:
        resources.append(objects.describe("TaskCode", artifacts.task))
    # Before the network, so that they are removed after it: Lambda needs the roles to take its
    # network interfaces away.
    for what in ("worker", "task")[: 1 + options.task]:
        resources += roles.describe_function_role(names, what, options.in_vpc)
    vpc = None
    if options.server == "host":
        resources.append(objects.describe("Module", artifacts.module))
        resources.append(host.describe_url(names))
        resources += network.describe(names, options, artifacts.module)
        resources += host.describe(names, options, artifacts.module, password_sha256)
        vpc = network.FUNCTIONS
    elif options.server == "url":
        resources.append(server_url.describe_given(names.server_url, redis_url))
    if options.subnets:
        vpc = {
            "SubnetIds": list(options.subnets),
            "SecurityGroupIds": list(options.security_groups),
        }
    resources += functions.describe(names, "worker", options, artifacts.worker, vpc)
    if options.task:
        resources += functions.describe(names, "task", options, artifacts.task, vpc)
    # The host starts while the functions are made; only then is it waited for.
    resources.sort(key=lambda resource: resource.name == "ServerReady")
    resources.append(record.describe(names, options, runtime))
    return [
        replace(resource, facts=resource.facts | {"stack": names.stack}) for resource in resources
    ]


def describe_everything(names: Names) -> list[Resource]:
    """Describe all resources that any stack of this name may have, to look for them."""
    nothing = Artifact(names.bucket, "nothing")
    return describe_stack(
        names,
        Options(server="host", instance="t4g.nano", client_cidr="127.0.0.0/8", task=True),
        Artifacts(nothing, nothing, nothing),
        runtime="",
    )
