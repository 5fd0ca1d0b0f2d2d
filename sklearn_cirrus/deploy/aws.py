"""The way to AWS: clients of one region, what their errors mean, and patience."""

import logging
import time
from contextlib import contextmanager
from functools import cached_property

from .. import _aws_session as aws_session
from ..exceptions import DeployError

_log = logging.getLogger("sklearn_cirrus.deploy")

POLL_SECONDS = 2.0  # between two looks at something that takes time

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure"}
_MENDING = {
    "ExpiredToken": "the credentials have expired: sign in again (aws sso login)",
    "ExpiredTokenException": "the credentials have expired: sign in again (aws sso login)",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "InvalidClientTokenId": "the credentials are not valid: run `aws configure`",
    "UnrecognizedClientException": "the credentials are not valid: run `aws configure`",
    "OptInRequired": "this account may not use the service in this region yet",
}


class Aws:
    """Clients for one region, made when they are first needed.

    Parameters
    ----------
    region : str, optional
        By default the one that boto3 is configured for.

    Raises
    ------
    DeployError
        No region is given or configured, or there is none of this name.
    """

    def __init__(self, region: str | None = None):
        from botocore.exceptions import BotoCoreError

        try:
            self.region = region or aws_session.region()
        except BotoCoreError as error:  # a profile that does not exist
            raise DeployError(f"boto3 cannot be configured: {error}") from error
        if not self.region:
            raise DeployError(
                "no AWS region is configured: set AWS_DEFAULT_REGION, or the region of the profile"
            )
        try:
            self.partition = aws_session.partition(self.region)
        except BotoCoreError as error:
            raise DeployError(f"there is no AWS region {self.region!r}: {error}") from error
        self._clients: dict = {}

    def client(self, service: str):
        """Return the client of a service."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(retries={"mode": "standard", "max_attempts": 6})
            self._clients[service] = aws_session.make_client(
                service, region_name=self.region, config=config
            )
        return self._clients[service]

    @cached_property
    def account(self) -> str:
        """The account's number; asking for it tries the credentials."""
        with explained("cannot ask AWS who these credentials belong to"):
            return self.client("sts").get_caller_identity()["Account"]

    @cached_property
    def zones(self) -> list[str]:
        """The availability zones of the region."""
        answer = self.client("ec2").describe_availability_zones(
            Filters=[
                {"Name": "opt-in-status", "Values": ["opt-in-not-required"]},
                {"Name": "state", "Values": ["available"]},
            ]
        )
        zones = sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])
        if len(zones) < 2:
            raise DeployError(f"the region {self.region} has fewer than two availability zones")
        return zones

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


@contextmanager
def explained(what: str):
    """Turn what boto3 raises into a DeployError that says what was tried and what to do."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise DeployError(
            f"{what}: there are no AWS credentials: run `aws configure`, or set AWS_PROFILE or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from error
    except ClientError as error:
        code = error_code(error)
        reason = _MENDING.get(code, error.response["Error"].get("Message") or code)
        if code in _DENIED:
            reason = f"{reason}; these credentials lack a right that docs/deploy.md lists"
        raise DeployError(f"{what}: {code}: {reason}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise DeployError(f"{what}: {error}") from error


def error_code(error) -> str:
    """Return AWS's code of a ClientError."""
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def absent(*codes: str):
    """Pass over the errors that say that a thing is not there (any more)."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error_code(error) not in codes:
            raise


def wait_until(condition, seconds: float, failure: str):
    """Poll a condition until it gives something true, and return that.

    Parameters
    ----------
    condition : callable
    seconds : float
    failure : str
        Of the DeployError when the time is up.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise DeployError(f"{failure} within {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return value
