"""The record of a deployment: what a client must know, in a parameter that holds no secret."""

import json
import os
from dataclasses import dataclass, field

from ..exceptions import DeployError
from .aws import Aws, absent, explained
from .names import STACK_TAG, Names, check_stack, tags
from .network import PORT, SERVER_ADDRESS
from .options import Options
from .resource import Found, Kind, NotOurs, Resource, belongs
from .server_url import read_secret

_VERSION = 1
_DEFAULT_STACK = "cirrus"


@dataclass(frozen=True)
class Deployment:
    """What is deployed.

    Attributes
    ----------
    stack, account, region : str
    bucket : str
    store_url : str
        For ``config_context(store_url=...)``.
    worker : str
        Name of the worker function.
    task : str or None
        Name of the function for tasks of joblib.
    runtime : str
        Version of sklearn_cirrus that the functions were built from.
    options : Options
    server : str or None
        Address of the parameter server, without secrets; None if there is none or it was given.
    redis_url : str or None
        Url of the parameter server: a secret, never shown.

    Examples
    --------
    >>> from sklearn_cirrus.deploy import Deployment
    >>> from sklearn_cirrus.deploy.options import Options
    >>> place = "cirrus-123456789012-eu-west-1"
    >>> stack = "cirrus", "123456789012", "eu-west-1", place, f"s3://{place}", "cirrus-worker"
    >>> deployment = Deployment(*stack, None, "0.1.0", Options(), redis_url="rediss://:secret@host")
    >>> "secret" in repr(deployment)
    False
    """

    stack: str
    account: str
    region: str
    bucket: str
    store_url: str
    worker: str
    task: str | None
    runtime: str
    options: Options
    server: str | None = None
    redis_url: str | None = field(default=None, repr=False)


def load_deployment(stack: str | None = None, region: str | None = None) -> Deployment:
    """Read what ``sklearn-cirrus deploy`` has put up.

    Parameters
    ----------
    stack : str, optional
        By default that of the environment variable CIRRUS_STACK, else ``"cirrus"``.
    region : str, optional
        By default the one that boto3 is configured for.

    Returns
    -------
    Deployment

    Raises
    ------
    DeployError
        There is no such deployment, or AWS cannot be asked.

    Examples
    --------
    It asks AWS, so this is not run here:

    >>> from sklearn_cirrus.deploy import load_deployment
    >>> load_deployment("cirrus").store_url                                  # doctest: +SKIP
    's3://cirrus-123456789012-eu-west-1'
    """
    stack = check_stack(stack or default_stack())
    with Aws(region) as aws, explained(f"cannot read the record of the stack {stack}"):
        fields = read_record(aws, f"/{stack}/deployment")
        if fields is None:
            raise DeployError(
                f"there is no stack {stack!r} in {aws.region}: run `sklearn-cirrus deploy --stack "
                f"{stack} --region {aws.region}`, or name another in CIRRUS_STACK"
            )
        url = read_secret(aws, f"/{stack}/server-url")
    options = Options.from_record(fields.pop("options"))
    return Deployment(**fields, options=options, redis_url=url)


def default_stack() -> str:
    """Return the stack that is meant when none is named."""
    return os.environ.get("CIRRUS_STACK") or _DEFAULT_STACK


def read_record(aws: Aws, name: str) -> dict | None:
    """Return the record, None if there is none."""
    text = None
    with absent("ParameterNotFound"):
        text = aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    if text is None:
        return None
    try:
        fields = json.loads(text)
        version = fields.pop("version")
    except (ValueError, KeyError, AttributeError) as error:
        raise DeployError(
            f"the parameter {name} is not a record of a deployment: run deploy again"
        ) from error
    if version != _VERSION:
        raise DeployError(
            f"the stack was deployed by a version of sklearn-cirrus whose record ({version}) this "
            f"one ({_VERSION}) cannot read: run deploy again with this one"
        )
    return fields


def describe(names: Names, options: Options, runtime: str) -> Resource:
    """Describe the record."""
    server = None
    if options.server == "host":
        host = "${ServerAddress}" if options.client_cidr else SERVER_ADDRESS
        server = f"{host}:{PORT}"
    fields = {
        "version": _VERSION,
        "stack": names.stack,
        "account": names.account,
        "region": names.region,
        "bucket": names.bucket,
        "store_url": names.store_url,
        "worker": names.function("worker"),
        "task": names.function("task") if options.task else None,
        "runtime": runtime,
        "server": server,
        "options": options.as_record(),
    }
    return Resource(
        "Record",
        Parameter(),
        {
            "Name": names.record,
            "Type": "String",
            "Description": "What sklearn-cirrus deploy has put up",
            "Value": {"Fn::Sub": json.dumps(fields)},
            "Tags": {STACK_TAG: names.stack},  # CloudFormation's form for parameters
        },
        after=("Worker",),
    )


class Parameter(Kind):
    type, what = "AWS::SSM::Parameter", "record of the deployment"

    def find(self, aws, resource, properties):
        name, ssm = properties["Name"], aws.client("ssm")
        with absent("ParameterNotFound"):
            value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
            answer = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
            if not belongs(answer["TagList"], resource.facts["stack"]):
                raise NotOurs(f"parameter {name}")
            return Found(name, raw=value)
        return None

    def create(self, aws, resource, properties):
        aws.client("ssm").put_parameter(
            Name=properties["Name"],
            Type=properties["Type"],
            Description=properties["Description"],
            Value=properties["Value"],
            Tags=tags(resource.facts["stack"], resource.name),
        )

    def current(self, aws, resource, found, properties):
        return {"Value": found.raw}

    def update(self, aws, resource, found, properties, changed):
        aws.client("ssm").put_parameter(
            Name=found.id, Type=properties["Type"], Value=properties["Value"], Overwrite=True
        )

    def delete(self, aws, resource, found):
        with absent("ParameterNotFound"):
            aws.client("ssm").delete_parameter(Name=found.id)
