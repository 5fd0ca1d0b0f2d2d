"""The service: puts the parts together, and ends what they have started in the right order."""

import os
import re
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .._scratch import new_path
from ..exceptions import ConfigurationError
from ._capacity import Capacity
from ._clock import Clock
from ._control import Control
from ._events import EventQueue
from ._execution import Execution
from ._faults import Faults
from ._functions import Functions
from ._guard import Guard
from ._http import Front
from ._invoke import Invoke
from ._operations import operations
from ._pool import Pool
from ._records import Records
from ._runtimes import Runtimes
from ._settings import Settings

_ACCOUNT = "123456789012"
_SWEEP_SECONDS = 0.25  # least time between looks for slots that have been idle for too long
_ENDPOINT = re.compile(r"AWS_ENDPOINT_URL(_\w+)?")


@dataclass(frozen=True)
class ServiceSettings:
    """What :class:`~sklearn_cirrus.emulator.LambdaEmulator` was given, and the region."""

    port: int
    concurrency: int
    idle_seconds: float
    event_delay_scale: float
    transition_seconds: float
    freeze_idle: bool
    s3_endpoint_url: str | None
    pythons: dict
    logs: Path | None
    code_storage: int
    region: str


class Service:
    """A running service.

    Parameters
    ----------
    ends : ExitStack
        Takes what ends the parts.
    settings : ServiceSettings
    faults : Faults

    Attributes
    ----------
    records : Records
    events : EventQueue
    pool : Pool
    closing : threading.Event
        Set when the end begins.
    guard : Guard
    folder : Path
        Holds all files, and goes with the guard.
    """

    def __init__(self, ends: ExitStack, settings: ServiceSettings, faults: Faults):
        self._settings = settings
        folder = self.folder = Path(new_path("sklearn-cirrus-emulator-"))
        self.guard = Guard(str(folder))
        ends.callback(self.guard.end)
        folder.mkdir(0o700)
        runtimes = Runtimes(folder, settings.pythons)
        # Says at once if awslambdaric is missing.
        runtimes.find(f"python{sys.version_info.major}.{sys.version_info.minor}")
        self.closing = threading.Event()
        self.records = Records()
        functions = Functions(settings.region, _ACCOUNT)
        capacity = Capacity(settings.concurrency)
        logs = settings.logs or folder / "logs"
        self.pool = Pool(folder / "slots", logs, self.guard, settings.idle_seconds)
        execution = Execution(self.pool, faults, self.records, self.closing, settings.freeze_idle)
        clock = Clock()
        self.events = EventQueue(
            clock, capacity, execution, self.records, faults, settings.event_delay_scale
        )
        control = Control(
            functions,
            capacity,
            self.pool,
            runtimes,
            folder / "code",
            self._surroundings,
            settings.s3_endpoint_url,
            settings.transition_seconds,
            settings.code_storage,
        )
        invoke = Invoke(functions, capacity, execution, self.events, faults)
        # Called last to first: faults no longer delay, no retry, no process (which ends what
        # waits for one), no event, no request.
        front = ends.enter_context(ExitStack())
        ends.callback(self.events.close)
        ends.callback(self.pool.close)
        ends.callback(clock.close)
        ends.callback(self.closing.set)
        table = operations(control, Settings(functions, capacity), invoke)
        try:
            server = Front(settings.port, table)
        except OSError as error:
            raise ConfigurationError(f"port {settings.port} cannot be used: {error}") from error
        front.callback(server.close)
        self.endpoint_url = f"http://127.0.0.1:{server.server_port}"
        self._sweep(clock)

    def environment(self) -> dict[str, str]:
        """Give the variables that point boto3 here."""
        return {
            "AWS_ENDPOINT_URL_LAMBDA": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_REGION": self._settings.region,
            "AWS_DEFAULT_REGION": self._settings.region,
        }

    def _surroundings(self) -> dict[str, str]:
        """Give the variables that every function gets: region, credentials, endpoints."""
        urls = {
            name: value for name, value in os.environ.items() if _ENDPOINT.fullmatch(name) and value
        }
        if self._settings.s3_endpoint_url:
            urls["AWS_ENDPOINT_URL_S3"] = self._settings.s3_endpoint_url
        return {
            **urls,
            **self.environment(),
            "AWS_ACCESS_KEY_ID": "ASIAEMULATED",
            "AWS_SESSION_TOKEN": "emulated",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _sweep(self, clock: Clock) -> None:
        """End slots that have been idle for too long, again and again."""
        self.pool.end_idle()
        pause = max(self._settings.idle_seconds / 4, _SWEEP_SECONDS)
        clock.after(pause, lambda: self._sweep(clock))
