"""`LambdaEmulator`: what a user sees of the service."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import ConfigurationError
from ._faults import FaultPlan, Faults
from ._limits import ACCOUNT_CONCURRENCY, CODE_STORAGE
from ._records import Invocation
from ._service import Service, ServiceSettings


@dataclass(frozen=True)
class SlotInfo:
    """A slot as it is now.

    Attributes
    ----------
    number : int
        Its name for :meth:`LambdaEmulator.kill` and the like.
    function : str
    pid : int or None
        None while its process has not been started.
    state : str
        ``busy`` or ``idle``.
    is_frozen : bool
        Whether :meth:`LambdaEmulator.freeze` or a fault has stopped it.
    request_id : str or None
        What it runs.

    Examples
    --------
    >>> from sklearn_cirrus.emulator import LambdaEmulator
    >>> with LambdaEmulator() as emulator:
    ...     emulator.slots()  # one for each process that runs or waits
    []
    """

    number: int
    function: str
    pid: int | None
    state: str
    is_frozen: bool
    request_id: str | None


class LambdaEmulator:
    """An AWS Lambda on 127.0.0.1 that boto3 talks to; it runs inside a ``with`` block.

    Parameters
    ----------
    port : int, default=0
        0 takes a free one.
    concurrency : int, default=1000
        The account's limit of concurrent invocations.
    idle_seconds : float, default=300
        How long a process waits for its next invocation before it is ended.
    event_delay_scale : float, default=0.01
        Factor of the waits before an event is tried again (1 and 2 minutes after an error, 1 s
        and more after a throttle); 1 is what Lambda does.
    transition_seconds : float, default=0
        How long a function stays Pending, or its update in progress. Even at 0 the answer to the
        request itself says Pending or InProgress, as on Lambda.
    freeze_idle : bool, default=True
        Stop a process between invocations (SIGSTOP), as Lambda does.
    s3_endpoint_url : str, optional
        Where zips in S3 are read and where functions find S3; by default, where this process
        finds it (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL).
    pythons : dict of str to path, optional
        Interpreters for runtimes, as ``{"python3.13": "/usr/bin/python3.13"}``. By default the one
        that runs this for its own version, and what is found of others.
    logs : path, optional
        A folder that keeps the logs: one folder for each function, one file for each process. By
        default they go when the emulator ends.
    faults : FaultPlan, optional
        Faults from the start; see :attr:`faults`.
    code_storage : int, default=75 GiB
        Bytes of all zips together.

    Attributes
    ----------
    endpoint_url : str
        For boto3's ``endpoint_url``.
    faults : Faults
        Faults on demand.

    Raises
    ------
    ConfigurationError
        A parameter cannot be, or awslambdaric is not installed (extra ``emulate``).

    Examples
    --------
    >>> import io, sys, zipfile
    >>> import boto3
    >>> from sklearn_cirrus.emulator import LambdaEmulator
    >>> code = io.BytesIO()
    >>> with zipfile.ZipFile(code, "w") as archive:
    ...     archive.writestr("app.py", "def handle(event, context): return event['a'] + 1")
    >>> anyone = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    >>> function = {
    ...     "FunctionName": "f",
    ...     "Runtime": "python{}.{}".format(*sys.version_info),
    ...     "Handler": "app.handle",
    ...     "Role": "arn:aws:iam::123456789012:role/any",
    ...     "Code": {"ZipFile": code.getvalue()},
    ... }
    >>> with LambdaEmulator() as emulator:
    ...     client = boto3.client(
    ...         "lambda", endpoint_url=emulator.endpoint_url, region_name="eu-west-1", **anyone
    ...     )
    ...     _ = client.create_function(**function)
    ...     client.invoke(FunctionName="f", Payload=b'{"a": 1}')["Payload"].read()
    ...     [each.outcome for each in emulator.invocations()]
    ...     client.close()
    b'2'
    ['ok']
    """

    def __init__(
        self,
        *,
        port: int = 0,
        concurrency: int = ACCOUNT_CONCURRENCY,
        idle_seconds: float = 300.0,
        event_delay_scale: float = 0.01,
        transition_seconds: float = 0.0,
        freeze_idle: bool = True,
        s3_endpoint_url: str | None = None,
        pythons: dict | None = None,
        logs=None,
        faults: FaultPlan | None = None,
        code_storage: int = CODE_STORAGE,
    ):
        for name, value, least in (
            ("concurrency", concurrency, 1),
            ("idle_seconds", idle_seconds, 0),
            ("event_delay_scale", event_delay_scale, 0),
            ("transition_seconds", transition_seconds, 0),
            ("code_storage", code_storage, 1),
        ):
            if not value >= least:
                raise ConfigurationError(f"{name} must be at least {least}, not {value!r}")
        self.faults = Faults(faults)
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        self._settings = ServiceSettings(
            port=port,
            concurrency=concurrency,
            idle_seconds=idle_seconds,
            event_delay_scale=event_delay_scale,
            transition_seconds=transition_seconds,
            freeze_idle=freeze_idle,
            s3_endpoint_url=s3_endpoint_url,
            pythons=dict(pythons or {}),
            logs=None if logs is None else Path(logs),
            code_storage=code_storage,
            region=region or "us-east-1",
        )
        self._ends = None
        self._service = None

    def __enter__(self):
        """Start the service."""
        if self._ends is not None:
            raise ConfigurationError("this emulator runs already")
        with contextlib.ExitStack() as ends:
            self._service = Service(ends, self._settings, self.faults)
            self._ends = ends.pop_all()
        self._owner = os.getpid()
        return self

    def __exit__(self, *exception):
        """End everything that was started."""
        ends, self._ends = self._ends, None
        if os.getpid() == self._owner:  # to a fork of that process nothing belongs
            ends.close()

    @property
    def endpoint_url(self) -> str:
        """Where the service listens."""
        return self._running().endpoint_url

    def environment(self) -> dict[str, str]:
        """Give the variables that point boto3 at this service, with credentials for show."""
        return self._running().environment()

    def invocations(self, function: str | None = None) -> list[Invocation]:
        """Give what has run so far, in the order in which it ended.

        Parameters
        ----------
        function : str, optional
            Only those of this one.
        """
        return [r for r in self._running().records.list() if function in (None, r.function)]

    def log(self, request_id: str) -> str:
        """Give the log of all runs of one request, empty if there is none yet."""
        return "".join(r.log for r in self._running().records.list() if r.request_id == request_id)

    def unfinished_events(self) -> int:
        """Give how many accepted events wait or run."""
        return self._running().events.unfinished()

    def wait_for_events(self, timeout: float = 60.0) -> None:
        """Wait until no accepted event waits or runs.

        Raises
        ------
        TimeoutError
            That takes longer.
        """
        deadline = time.monotonic() + timeout
        while left := self.unfinished_events():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{left} events have not ended within {timeout:g} s")
            self._running().closing.wait(0.002)

    def slots(self, function: str | None = None) -> list[SlotInfo]:
        """Give the slots that there are now."""
        return [
            SlotInfo(s.number, s.function, s.pid, state, s.is_frozen, s.request_id)
            for s, state in self._running().pool.slots()
            if function in (None, s.function)
        ]

    def kill(self, number: int) -> None:
        """Kill the process of a slot, whatever it does.

        Raises
        ------
        LookupError
            There is no such slot any more; :meth:`freeze` and :meth:`thaw` raise it too.
        """
        self._slot(number).kill()

    def freeze(self, number: int) -> None:
        """Stop the process of a slot until :meth:`thaw`; its invocation's time goes on."""
        self._slot(number).freeze()

    def thaw(self, number: int) -> None:
        """Let a frozen slot go on."""
        self._slot(number).thaw()

    def _slot(self, number: int):
        """Find a slot."""
        for slot, _ in self._running().pool.slots():
            if slot.number == number:
                return slot
        raise LookupError(f"there is no slot {number}")

    def _running(self) -> Service:
        """Give the service, which stays readable after its end."""
        if self._service is None:
            raise ConfigurationError("the emulator runs inside its with block only")
        return self._service
