"""What is known of invocations afterwards: records, and log lines as Lambda writes them."""

import math
import threading
from collections import deque
from dataclasses import dataclass, field

_KEPT = 20_000  # records
_KEPT_LOG = 1 << 15  # bytes of log text in a record; the log's file has all


@dataclass(frozen=True)
class Invocation:
    """One run of a function, or one that was accepted and never ran.

    Attributes
    ----------
    request_id : str
        An event that is retried or delivered twice keeps its id.
    function : str
    kind : str
        ``RequestResponse`` or ``Event``.
    attempt : int
        0 for the first run, 1 and 2 for retries of an event.
    slot : int or None
        Number of the slot; None if it was lost.
    pid : int or None
        Process of the slot.
    start, end : float
        ``time.time()``.
    outcome : str
        ``ok``, ``error`` (raised by the handler), ``init_error``, ``timeout``, ``out_of_memory``,
        ``killed``, ``exited``, ``response_too_large``, ``lost`` or ``expired``.
    error_type : str or None
        As in the error's payload.
    duration_ms, init_ms : float
        Without and of the initialization; ``init_ms`` is 0 for a warm start.
    billed_ms : int
        Both, rounded up.
    max_memory_mb : int
        Largest resident size of the slot's process so far.
    log : str
        What START, END, REPORT and the function wrote; the last 32 KiB of it.

    Examples
    --------
    >>> from sklearn_cirrus.emulator import LambdaEmulator
    >>> with LambdaEmulator() as emulator:
    ...     emulator.invocations()  # one for each Invoke; see LambdaEmulator
    []
    """

    request_id: str
    function: str
    kind: str
    attempt: int
    slot: int | None
    pid: int | None
    start: float
    end: float
    outcome: str
    error_type: str | None = None
    duration_ms: float = 0.0
    init_ms: float = 0.0
    billed_ms: int = 0
    max_memory_mb: int = 0
    log: str = field(default="", repr=False)


class Records:
    """All invocations of an emulator, the last twenty thousand of them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._all = deque(maxlen=_KEPT)

    def add(self, invocation: Invocation) -> None:
        """Keep one that has ended."""
        with self._lock:
            self._all.append(invocation)

    def list(self) -> list[Invocation]:
        """Give them in the order in which they ended."""
        with self._lock:
            return list(self._all)


class LogStream:
    """The log of one slot: its process appends to the file, and so does the emulator.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    """

    def __init__(self, path):
        self.path = path
        self._read = 0
        path.touch()

    def write(self, line: str) -> None:
        """Append a line."""
        with open(self.path, "ab") as file:
            file.write(line.encode() + b"\n")

    def take(self) -> str:
        """Give what was written since the last call (the last 32 KiB of it)."""
        with open(self.path, "rb") as file:
            end = file.seek(0, 2)
            file.seek(max(self._read, end - _KEPT_LOG))
            text = file.read(end - file.tell())
        self._read = end
        return text.decode(errors="replace")


def billed(duration_ms: float, init_ms: float) -> int:
    """Give the milliseconds that are charged; since August 2025 the initialization is."""
    return math.ceil(duration_ms + init_ms)


def report_line(
    request_id, duration_ms, init_ms, memory_mb, max_memory_mb, status=None, error_type=None
) -> str:
    """Write the REPORT line.

    Parameters
    ----------
    status : str, optional
        ``timeout`` or ``error``, when the platform ended the invocation.
    """
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed(duration_ms, init_ms)} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {max_memory_mb} MB\t"
    )
    if init_ms:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    if status:
        line += f"Status: {status}\t"
    if error_type:
        line += f"Error Type: {error_type}\t"
    return line
