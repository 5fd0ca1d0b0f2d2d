"""`LambdaEmulator`: puts the parts together and owns all that they start."""

import contextlib
import os
import re
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import ConfigurationError
from ._capacity import Capacity
from ._clock import Clock
from ._control import Control
from ._events import EventQueue
from ._execution import Execution
from ._faults import FaultPlan, Faults
from ._functions import Functions
from ._guard import Guard
from ._http import Front
from ._invoke import Invoke
from ._limits import ACCOUNT_CONCURRENCY, CODE_STORAGE
from ._operations import operations
from ._pool import Pool
from ._records import Invocation, Records
from ._runtimes import Runtimes
from ._settings import Settings

_ACCOUNT = "123456789012"
_SWEEP_SECONDS = 0.25  # least time between looks for slots that have been idle for too long


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
    port : int, default 0
        0 takes a free one.
    concurrency : int, default 1000
        The account's limit of concurrent invocations.
    idle_seconds : float, default 300
        How long a process waits for its next invocation before it is ended.
    event_delay_scale : float, default 0.01
        Factor of the waits before an event is tried again (1 and 2 minutes after an error, 1 s
        and more after a throttle); 1 is what Lambda does.
    transition_seconds : float, default 0
        How long a function stays Pending, or its update in progress. Even at 0 the answer to the
        request itself says Pending or InProgress, as on Lambda.
    freeze_idle : bool, default True
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
    code_storage : int, default 75 GiB
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
    >>> with LambdaEmulator() as emulator:                                 # doctest: +SKIP
    ...     client = boto3.client("lambda", endpoint_url=emulator.endpoint_url)
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
        self._port = port
        self._concurrency = concurrency
        self._idle_seconds = idle_seconds
        self._event_delay_scale = event_delay_scale
        self._transition_seconds = transition_seconds
        self._freeze_idle = freeze_idle
        self._s3_endpoint_url = s3_endpoint_url
        self._pythons = pythons or {}
        self._logs = logs
        self._code_storage = code_storage
        self._region = (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        )
        self._ends = None

    def __enter__(self):
        """Start the service."""
        if self._ends is not None:
            raise ConfigurationError("this emulator runs already")
        with contextlib.ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *exception):
        """End everything that was started."""
        ends, self._ends = self._ends, None
        ends.close()

    @property
    def endpoint_url(self) -> str:
        """Where the service listens."""
        return f"http://127.0.0.1:{self._front.server_port}"

    def environment(self) -> dict[str, str]:
        """Give the variables that point boto3 at this service, with credentials for show."""
        return {
            "AWS_ENDPOINT_URL_LAMBDA": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
        }

    def invocations(self, function: str | None = None) -> list[Invocation]:
        """Give what has run so far, in the order in which it ended.

        Parameters
        ----------
        function : str, optional
            Only those of this one.
        """
        return [r for r in self._records.list() if function in (None, r.function)]

    def log(self, request_id: str) -> str:
        """Give the log of all runs of one request, empty if there is none yet."""
        return "".join(r.log for r in self._records.list() if r.request_id == request_id)

    def unfinished_events(self) -> int:
        """Give how many accepted events wait or run."""
        return self._events.unfinished()

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
            self._closing.wait(0.002)

    def slots(self, function: str | None = None) -> list[SlotInfo]:
        """Give the slots that there are now."""
        return [
            SlotInfo(s.number, s.function, s.pid, state, s.is_frozen, s.request_id)
            for s, state in self._pool.slots()
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
        for slot, _ in self._pool.slots():
            if slot.number == number:
                return slot
        raise LookupError(f"there is no slot {number}")

    def _start(self, ends: contextlib.ExitStack) -> None:
        """Start the parts; what ends them is called in reverse."""
        folder = Path(tempfile.mkdtemp(prefix="sklearn-cirrus-emulator-"))
        try:
            guard = Guard(str(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        ends.callback(guard.end)
        logs = Path(self._logs) if self._logs is not None else folder / "logs"
        runtimes = Runtimes(folder, self._pythons)
        runtimes.find(f"python{_version()}")  # says at once if awslambdaric is missing
        self._closing = threading.Event()
        self._records = Records()
        functions = Functions(self._region, _ACCOUNT)
        capacity = Capacity(self._concurrency)
        self._pool = Pool(folder / "slots", logs, guard, self._idle_seconds)
        execution = Execution(
            self._pool, self.faults, self._records, self._closing, self._freeze_idle
        )
        clock = Clock()
        self._events = EventQueue(
            clock, capacity, execution, self._records, self.faults, self._event_delay_scale
        )
        control = Control(
            functions,
            capacity,
            self._pool,
            runtimes,
            folder / "code",
            self._surroundings,
            self._s3_endpoint_url,
            self._transition_seconds,
            self._code_storage,
        )
        invoke = Invoke(functions, capacity, execution, self._events, self.faults)
        # Called last to first: no new request, no retry, no process; then nothing waits any more.
        ends.callback(self._events.close)
        ends.callback(self._pool.close)
        ends.callback(clock.close)
        ends.callback(self._closing.set)
        self._front = Front(self._port, operations(control, Settings(functions, capacity), invoke))
        ends.callback(self._front.close)
        sweep = max(self._idle_seconds / 4, _SWEEP_SECONDS)

        def end_idle():
            self._pool.end_idle()
            clock.after(sweep, end_idle)

        clock.after(sweep, end_idle)

    def _surroundings(self) -> dict[str, str]:
        """Give the variables that every function gets: region, credentials, endpoints."""
        urls = {
            name: value
            for name, value in os.environ.items()
            if re.fullmatch(r"AWS_ENDPOINT_URL(_\w+)?", name) and value
        }
        if self._s3_endpoint_url:
            urls["AWS_ENDPOINT_URL_S3"] = self._s3_endpoint_url
        return {
            **urls,
            **self.environment(),
            "AWS_ACCESS_KEY_ID": "ASIAEMULATED",
            "AWS_SESSION_TOKEN": "emulated",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def _version() -> str:
    """Give the version of this Python, as in the names of runtimes."""
    import sys

    return f"{sys.version_info.major}.{sys.version_info.minor}"
