"""The function on AWS Lambda: what it is, how many of it may run, and one invocation.

boto3 is imported when a fit uses Lambda. What botocore raises becomes one of three
exceptions, which say what the caller may do.
"""

import base64
import logging
import random
from contextlib import suppress
from dataclasses import dataclass

from .. import _aws_session as aws_session
from ..exceptions import ConfigurationError, WorkerError

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_SPARE_SECONDS = 30.0  # beyond the function's time limit, until an answer must have come
_LEAST_TIMEOUT = 10  # seconds; a worker stops a few seconds before the end
# Lambda asks to try these again later; so does every 5xx.
_LATER = {
    *("TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"),
    *("ResourceConflictException", "ResourceNotReadyException", "SnapStartNotReadyException"),
    *("EC2ThrottledException", "ENILimitReachedException", "SubnetIPAddressLimitReachedException"),
}
_MENDING = {
    "ResourceNotFoundException": "run `sklearn-cirrus deploy`, or name another in CIRRUS_FUNCTION "
    "(for tasks CIRRUS_TASK_FUNCTION) or CIRRUS_STACK",
    "AccessDeniedException": "the AWS credentials need lambda:InvokeFunction and "
    "lambda:GetFunctionConfiguration on it",
    "UnrecognizedClientException": "the AWS credentials are not valid",
    "InvalidSignatureException": "the AWS credentials are not valid",
    "ExpiredTokenException": "the AWS credentials have expired",
}


class Unavailable(Exception):
    """The request was not taken; trying again may help."""


class Refused(Exception):
    """The request was not taken, and will not be."""


class Lost(Exception):
    """The request was sent and no answer will come."""


@dataclass(frozen=True)
class Answer:
    """What Lambda says of an invocation that has ended.

    Attributes
    ----------
    payload : bytes
        JSON: the handler's result, or what it failed with.
    is_error : bool
    log : str
        The last 4 KB of it.
    """

    payload: bytes
    is_error: bool
    log: str


class LambdaFunction:
    """A function, with a client of its own.

    Parameters
    ----------
    name : str
        Name or ARN.
    n_workers : int
        How many invocations there may be at the same time.

    Attributes
    ----------
    memory, tmp_size, timeout : int
        MB, MB and seconds.
    architecture : {"arm64", "x86_64"}
    region : str
    concurrency : int or None
        How many may run at the same time; None if these credentials may not ask.
    limit_of : str
        Who sets that limit.

    Raises
    ------
    ConfigurationError
        boto3 has no region or no credentials, or the function can run no worker.
    WorkerError
        The function cannot be reached.
    """

    def __init__(self, name: str, n_workers: int):
        from botocore import exceptions
        from botocore.config import Config

        self.name = name
        self.random = random.Random()
        self._exceptions = exceptions
        try:
            self.region = aws_session.region()
            control = _client(Config(connect_timeout=_CONNECT_SECONDS))
            found = control.get_function_configuration(FunctionName=name)
            self._ask_concurrency(control)
            control.close()
        except exceptions.NoRegionError as error:
            raise ConfigurationError(
                "backend 'lambda' needs an AWS region: set AWS_DEFAULT_REGION, or the region of "
                "the profile"
            ) from error
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
            raise ConfigurationError(
                "backend 'lambda' needs AWS credentials: run `aws configure`, or set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise WorkerError(f"the function {name} cannot be used: {_explain(error)}") from error
        self.memory = found["MemorySize"]
        self.tmp_size = found.get("EphemeralStorage", {}).get("Size", 512)
        self.timeout = found["Timeout"]
        self.architecture = found.get("Architectures", ["x86_64"])[0]
        if self.timeout < _LEAST_TIMEOUT:
            raise ConfigurationError(
                f"the time limit of the function {name} is {self.timeout} s, and workers need "
                f"{_LEAST_TIMEOUT} at least: run `sklearn-cirrus deploy --timeout 900`"
            )
        self._invoker = _client(
            Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=self.timeout + _SPARE_SECONDS,
                retries={"total_max_attempts": 1},  # what may be sent again is known here
                max_pool_connections=max(10, n_workers),
                tcp_keepalive=True,  # a silent connection of minutes must outlive a NAT
            )
        )

    def invoke(self, event: bytes) -> Answer:
        """Invoke the function and wait until it has ended.

        Raises
        ------
        Unavailable, Refused, Lost
        """
        errors = self._exceptions
        try:
            answer = self._invoker.invoke(FunctionName=self.name, Payload=event, LogType="Tail")
            payload = answer["Payload"].read()
        except errors.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if error.response["Error"].get("Code") in _LATER or status >= 500 or status == 429:
                raise Unavailable(_explain(error)) from error
            raise Refused(
                f"the function {self.name} cannot be invoked: {_explain(error)}"
            ) from error
        except (errors.EndpointConnectionError, errors.ConnectTimeoutError) as error:
            raise Unavailable(str(error)) from error
        except errors.HTTPClientError as error:
            raise Lost(f"the connection to a worker on AWS Lambda was lost: {error}") from error
        except errors.BotoCoreError as error:
            raise Refused(f"the function {self.name} cannot be invoked: {error}") from error
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        return Answer(payload, "FunctionError" in answer, log)

    def close(self) -> None:
        """Close connections that are idle."""
        self._invoker.close()

    def _ask_concurrency(self, client) -> None:
        """Ask how many invocations may run at the same time."""
        self.concurrency, self.limit_of = None, "the account"
        with suppress(KeyError):
            try:
                reserved = client.get_function_concurrency(FunctionName=self.name)
                if "ReservedConcurrentExecutions" in reserved:
                    self.concurrency = reserved["ReservedConcurrentExecutions"]
                    self.limit_of = f"the reserved concurrency of the function {self.name}"
                else:
                    limits = client.get_account_settings()["AccountLimit"]
                    self.concurrency = limits["UnreservedConcurrentExecutions"]
                    self.limit_of = "the concurrency of the account in this region"
            except self._exceptions.ClientError as error:
                if error.response["Error"].get("Code") != "AccessDeniedException":
                    raise
                _log.debug("these credentials may not ask for the concurrency: %s", error)


def _client(config):
    """Make a client of Lambda."""
    return aws_session.make_client("lambda", config=config)


def _explain(error) -> str:
    """Say what an error of botocore means here."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    mending = _MENDING.get(code)
    return f"{error}" + (f": {mending}" if mending else "")
