"""What ``sklearn-cirrus doctor`` asks of AWS: one check for each part of a deployment.

Each check yields lines, and raises :class:`Faulty` with the way to mend what it found.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..exceptions import DeployError
from .aws import Aws, absent, error_code
from .operations import runtime_version
from .record import Deployment, default_stack, load_deployment
from .server_url import answers

_LEFT_TO_OTHERS = 100  # invocations that AWS keeps unreserved in every account
_FEW = 100  # invocations at the same time; a new account may have 10


class Faulty(Exception):
    """A part does not do what a fit needs; the second argument says how to mend it."""


def is_configured() -> bool:
    """Whether there are credentials for AWS here, or a stack was named."""
    if os.environ.get("CIRRUS_STACK"):
        return True
    from boto3 import Session
    from botocore.exceptions import BotoCoreError

    try:
        return Session().get_credentials() is not None
    except BotoCoreError:
        return True  # a profile that does not exist: worth a word


def check_aws() -> Iterator[str]:
    """Check credentials, deployment, bucket, function, concurrency and server, in this order.

    Yields
    ------
    str
        What was found.

    Raises
    ------
    Faulty
        With what is wrong, and how to mend it.
    """
    deploy = f"sklearn-cirrus deploy --stack {default_stack()}"
    with _mended("aws configure, or set AWS_PROFILE and AWS_DEFAULT_REGION"), Aws() as aws:
        yield f"account {aws.account}, region {aws.region}: the credentials are valid"
        with _mended(deploy):
            found = load_deployment(region=aws.region)
        yield f"stack {found.stack}: worker {found.worker}, bucket {found.bucket}"
        for check in (_bucket, _function, _concurrency, _server):
            with _mended(deploy):
                yield from check(aws, found, deploy)


@contextmanager
def _mended(remedy: str):
    """Say how to mend what AWS refuses."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (DeployError, ClientError, BotoCoreError) as error:
        raise Faulty(str(error), remedy) from error


def _bucket(aws: Aws, found: Deployment, deploy: str) -> Iterator[str]:
    """Look for the bucket."""
    is_there = False
    with absent("404", "NoSuchBucket"):
        aws.client("s3").head_bucket(Bucket=found.bucket)
        is_there = True
    if not is_there:
        raise Faulty(f"the bucket {found.bucket} is not there", deploy)
    yield f"bucket {found.bucket}: reached"


def _function(aws: Aws, found: Deployment, deploy: str) -> Iterator[str]:
    """Look at the worker function, and at what it was built from."""
    configuration = None
    with absent("ResourceNotFoundException"):
        configuration = aws.client("lambda").get_function_configuration(FunctionName=found.worker)
    if configuration is None:
        raise Faulty(f"the function {found.worker} is not there", deploy)
    state = configuration.get("State", "Active")
    if state not in ("Active", "Inactive"):  # one that nobody called for weeks is Inactive
        reason = configuration.get("StateReason", "")
        raise Faulty(f"the function {found.worker} is {state}: {reason}", deploy)
    if found.runtime != runtime_version():
        raise Faulty(
            f"the function {found.worker} has version {found.runtime} of sklearn-cirrus, this is "
            f"{runtime_version()}",
            f"{deploy} (or pip install sklearn-cirrus=={found.runtime})",
        )
    yield (
        f"function {found.worker}: {state}, {configuration['Runtime']}, "
        f"{configuration['MemorySize']} MB, version {found.runtime} as here"
    )


def _concurrency(aws: Aws, found: Deployment, deploy: str) -> Iterator[str]:
    """Say how many workers may run at the same time."""
    from botocore.exceptions import ClientError

    try:
        limit = aws.client("lambda").get_account_settings()["AccountLimit"]
    except ClientError as error:
        yield f"concurrency of the account: not to be learned ({error_code(error)})"
        return
    free = limit["UnreservedConcurrentExecutions"]
    reserved = found.options.concurrency
    most = reserved or free
    yield (
        f"at most {most} workers at the same time: "
        + ("reserved for the function" if reserved else "what the account has unreserved")
        + f" ({limit['ConcurrentExecutions']} in all)"
    )
    if limit["ConcurrentExecutions"] < _FEW + _LEFT_TO_OTHERS and not reserved:
        yield (
            "that is little: ask for more in Service Quotas, AWS Lambda, Concurrent executions "
            f"(AWS keeps {_LEFT_TO_OTHERS} of them unreserved)"
        )


def _server(aws: Aws, found: Deployment, deploy: str) -> Iterator[str]:
    """Try the parameter server, where it can be reached from here."""
    if found.redis_url is None:
        yield "parameter server: none deployed; name one in CIRRUS_REDIS_URL"
        return
    if answers(found.redis_url, 5.0):
        yield f"parameter server {found.server or '(given)'}: answers over TLS"
        return
    if found.options.server == "host" and not found.options.client_cidr:
        raise Faulty(
            f"the parameter server at {found.server} is private and does not answer from here",
            "run fits inside its VPC, or give it a public address: "
            f"{deploy} --client-cidr <your address>/32",
        )
    raise Faulty(
        f"the parameter server at {found.server or 'the given url'} does not answer",
        f"start its host if it is stopped; {deploy} --client-cidr <your address>/32 if your "
        "address has changed",
    )
