"""One concurrency slot: a process that runs awslambdaric, its folder and its log."""

import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from ._faults import RunFaults
from ._launch import Ending
from ._limits import FILE_DESCRIPTORS, MIB, RESPONSE_PAYLOAD
from ._memory import peak_bytes
from ._runtime_api import INIT_ERROR, NEXT, Deadline, RuntimeApi, error_path, response_path

_BOOTSTRAP = str(Path(__file__).with_name("_bootstrap.py"))
_LOOK_SECONDS = 0.01  # between looks at memory, for up to _LOOKERS slots at once
_LOOKERS = 8
_REAP_TIMEOUT = 10.0

logger = logging.getLogger(__name__)


class _Gone(Exception):
    """The process has ended or been ended; the ending says how."""

    def __init__(self, ending: Ending):
        super().__init__(ending.outcome)
        self.ending = ending


class Slot:
    """A process for one invocation after the other; only one thread invokes it at a time.

    Parameters
    ----------
    number : int
    function : str
        Name of the function.
    launch : Launch
    folder : Path
        Made here, with the slot's temporary folder; removed by :meth:`end`.
    log : LogStream
        Takes the output of the process.
    guard : Guard
    busy_slots : callable
        Gives how many slots are busy, so that many of them look less often.
    """

    def __init__(self, number, function, launch, folder, log, guard, busy_slots):
        self.number = number
        self.function = function
        self.launch = launch
        self.log = log
        self.process = None
        self.request_id = None
        self.idle_since = 0.0
        self.is_frozen = False
        self.peak = 0
        self._folder = folder
        self._guard = guard
        self._busy_slots = busy_slots
        self._api = RuntimeApi()
        self._lock = threading.Lock()  # signals against the end of the process
        self._due: list[tuple[float, str]] = []
        self._ended = False
        self._is_retired = False
        self._has_group = False
        (folder / "tmp").mkdir(parents=True)

    @property
    def pid(self) -> int | None:
        """The process's id; None before the first start."""
        return self.process and self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether there is a process to invoke."""
        return not self._ended and self.process is not None and self.process.poll() is None

    def start(self, until: float) -> Ending | None:
        """Start the process and wait until it asks for its first invocation.

        Parameters
        ----------
        until : float
            ``time.monotonic()`` at which it must have done so.

        Returns
        -------
        Ending or None
            None when it is ready; otherwise how it ended, and it has.
        """
        try:
            self._spawn()
            request = self._api.receive(until, self._looker(RunFaults()))
            if request.what == NEXT:
                return None
            self._api.send(202, {}, b"{}", until)
            outcome = "init_error" if request.what == INIT_ERROR else "exited"
            return self._finish(Ending(outcome, request.body))
        except Deadline:
            return self._finish(Ending("timeout"))
        except _Gone as gone:
            return self._finish(gone.ending)

    def run(self, request_id, headers, event, until, faults, freeze_after) -> Ending:
        """Invoke: hand over the event, take the response, and see the slot ask for the next.

        A slot that did not come that far is ended.
        """
        look = self._looker(faults)
        try:
            self.thaw(by_user=False)
            self._api.send(200, headers, event, until)
            ending = self._answer(request_id, until, look)
        except Deadline:
            return self._finish(Ending("timeout"))
        except _Gone as gone:
            return self._finish(gone.ending)
        try:
            if self._api.receive(until, look).what != NEXT:
                self.end()
        except (Deadline, _Gone):  # after the response: it counts, but the slot is lost
            self.end()
        self.peak = max(self.peak, peak_bytes(self.pid)) if self.is_alive else self.peak
        if any(action == "thaw" for _, action in self._due):  # a freeze met the end: it is over
            self.thaw()
        if freeze_after:
            self._signal(signal.SIGSTOP)
        return ending

    def kill(self) -> None:
        """Send SIGKILL to the process and its children."""
        self._signal(signal.SIGKILL)

    def retire(self) -> None:
        """Kill the process, and let no other start; the thread that invokes it sees it end."""
        with self._lock:
            self._is_retired = True
        self.kill()

    def freeze(self) -> None:
        """Send SIGSTOP; only :meth:`thaw` lets the slot go on, not the next invocation."""
        self.is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self, by_user: bool = True) -> None:
        """Send SIGCONT, unless a user's freeze is to be kept."""
        if by_user:
            self.is_frozen = False
        if not self.is_frozen:
            self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill and reap the process, close its sockets and remove its folder."""
        self._stop_process()
        with self._lock:
            self._ended = True
            self._api.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self, request_id, until, look) -> Ending:
        """Take what the process posts for an invocation, and acknowledge it."""
        request = self._api.receive(until, look)
        if request.what == ("POST", response_path(request_id)):
            if len(request.body) > RESPONSE_PAYLOAD:
                self._api.send(413, {}, b"{}", until)
                return Ending("response_too_large")
            ending = Ending("ok", request.body)
        elif request.what == ("POST", error_path(request_id)):
            ending = Ending("error", request.body)
        else:
            raise _Gone(Ending("exited", detail=f"{request.method} {request.path} out of turn"))
        self._api.send(202, {"Content-Type": "application/json"}, b'{"status":"OK"}\n', until)
        return ending

    def _spawn(self) -> None:
        """Start the process; it waits for the byte that tells it that the guard knows it."""
        launch = self.launch
        environment = {
            **launch.environment,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log.path.stem,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "TMPDIR": str(self._folder / "tmp"),
        }
        arguments = [launch.libraries, launch.handler, launch.storage * MIB, FILE_DESCRIPTORS]
        with self._lock, open(self.log.path, "ab") as log:
            if self._is_retired:
                raise _Gone(Ending("killed", detail="signal: killed"))
            self.process = subprocess.Popen(
                [launch.python, "-I", "-S", "-B", "-X", "utf8", _BOOTSTRAP, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=launch.code,
                env=environment,
                start_new_session=True,  # a group of its own: its children end with it
            )
            self._has_group = True
            self._guard.add(self.process.pid)
            with self.process.stdin as go:
                try:
                    go.write(b"g")
                    go.flush()
                except BrokenPipeError:
                    pass  # it has died already, and the wait for it tells

    def _looker(self, faults: RunFaults):
        """Give the function that looks after the process while a thread waits for it."""
        begin = time.monotonic()
        due = self._due = faults.actions(begin)

        def look() -> float:
            if self.process.poll() is not None:
                raise _Gone(self._exit())
            self.peak = max(self.peak, peak_bytes(self.process.pid))
            if self.peak > self.launch.memory * MIB:
                self._signal(signal.SIGKILL)
                self.peak = self.launch.memory * MIB
                raise _Gone(Ending("out_of_memory", detail="signal: killed"))
            now = time.monotonic()
            while due and due[0][0] <= now:
                getattr(self, due.pop(0)[1])()
            pause = _LOOK_SECONDS * max(1.0, self._busy_slots() / _LOOKERS)
            return min(pause, due[0][0] - now) if due else pause

        return look

    def _exit(self) -> Ending:
        """Describe the exit of the process in Lambda's words."""
        code = self.process.returncode
        if code < 0:
            try:
                name = signal.strsignal(-code)
            except ValueError:
                name = None
            words = f"signal: {(name or str(-code)).lower()}"
            return Ending("killed" if code == -signal.SIGKILL else "exited", detail=words)
        return Ending("exited", detail=f"exit status {code}" if code else "")

    def _finish(self, ending: Ending) -> Ending:
        """End the process after what ended the invocation, but keep the slot's folder for it."""
        self._stop_process()
        return ending

    def _stop_process(self) -> None:
        """Kill the whole group and reap the process."""
        with self._lock:
            if not self._has_group:  # a second time, the number may be another's
                return
            self._has_group = False
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._guard.remove(self.process.pid)
            try:
                self.process.wait(_REAP_TIMEOUT)
            except subprocess.TimeoutExpired:  # stuck in the kernel, where SIGKILL awaits it
                logger.warning("process %d of slot %d does not end", self.pid, self.number)

    def _signal(self, number: int) -> None:
        """Signal the process and its children, if they are still there."""
        with self._lock:
            if self._has_group and self.process.poll() is None:
                os.killpg(self.process.pid, number)
