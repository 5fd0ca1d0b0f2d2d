"""The slots of all functions: taken for an invocation, given back, ended after a time."""

import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from ._errors import ApiError
from ._launch import Launch
from ._records import LogStream
from ._slot import Slot


class Pool:
    """Keeps the slots; how many may be busy is decided elsewhere.

    Parameters
    ----------
    folder : Path
        For the slots' own folders.
    logs : Path
        For a folder of logs of each function.
    guard : Guard
    idle_seconds : float
        How long a slot may wait for its next invocation.
    """

    def __init__(self, folder: Path, logs: Path, guard, idle_seconds: float):
        self._folder = folder
        self._logs = logs
        self._guard = guard
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[Slot] = []
        self._busy: set[Slot] = set()
        self._made = 0
        self._closed = False

    def take(self, function: str, launch: Launch) -> tuple[Slot, bool]:
        """Give the slot that was used last, or a new one, and whether it is new.

        Raises
        ------
        ApiError
            The emulator is being closed.
        """
        while True:
            with self._lock:
                if self._closed:
                    raise ApiError("ServiceException", 500, "the emulator is being closed")
                slot = next((s for s in reversed(self._idle) if s.launch is launch), None)
                if slot is None:
                    slot, is_new = self._make(function, launch), True
                else:
                    self._idle.remove(slot)
                    is_new = False
                self._busy.add(slot)
            if is_new or slot.is_alive:
                return slot, is_new
            self._discard(slot)

    def give_back(self, slot: Slot, launch: Launch | None) -> None:
        """Keep a slot for the next invocation, unless it is dead or its function has changed."""
        with self._lock:
            keep = not self._closed and slot.launch is launch and slot.is_alive
            if keep:
                slot.idle_since = time.monotonic()
                self._busy.discard(slot)
                self._idle.append(slot)
        if not keep:
            self._discard(slot)

    def end_idle(self, function: str | None = None, launch: Launch | None = None) -> None:
        """End idle slots: those of a function but for one launch, or those idle for too long."""
        limit = time.monotonic() - self._idle_seconds
        with self._lock:
            ending = [
                slot
                for slot in self._idle
                if (slot.idle_since <= limit and not slot.is_frozen)
                or (slot.function == function and slot.launch is not launch)
            ]
            for slot in ending:
                self._idle.remove(slot)
        for slot in ending:
            slot.end()

    def busy_count(self) -> int:
        """Give how many slots are busy."""
        return len(self._busy)

    def slots(self) -> list[tuple[Slot, str]]:
        """Give all slots, each with ``"idle"`` or ``"busy"``, in the order they were made."""
        with self._lock:
            found = [(s, "idle") for s in self._idle] + [(s, "busy") for s in self._busy]
        return sorted(found, key=lambda pair: pair[0].number)

    def close(self) -> None:
        """Kill all processes; the invocations that go on in them end by that."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for slot in busy:
            slot.retire()
        for slot in idle:
            slot.end()

    def _make(self, function: str, launch: Launch) -> Slot:
        """Make a slot, without a process yet."""
        self._made += 1
        folder = self._logs / function
        folder.mkdir(parents=True, exist_ok=True)
        stream = f"{datetime.now(UTC):%Y-%m-%d}-[LATEST]{uuid.uuid4().hex}"
        slot = Slot(
            self._made,
            function,
            launch,
            self._folder / f"slot-{self._made}",
            LogStream(folder / f"{stream}.log"),
            self._guard,
            self.busy_count,
        )
        return slot

    def _discard(self, slot: Slot) -> None:
        """End a slot that was taken."""
        slot.end()
        with self._lock:
            self._busy.discard(slot)
