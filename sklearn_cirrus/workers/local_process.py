"""One worker process of the pool, seen from here: its pipes and how it ended."""

import json
import os
import signal
import subprocess
import sys
from collections import deque

from .._lifeline import Lifeline
from ..exceptions import WorkerError
from .base import WorkerHandle, WorkerResult

# A worker is one thread of arithmetic; as many BLAS threads each would fight for the cores.
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
_KEPT_LINES = 30  # of standard error, for the report of a worker that dies
_READ = 1 << 16
_EXIT_TIMEOUT = 5.0  # seconds from closed pipes to the end of the process


class LocalProcess:
    """A Python of its own that runs ``entry`` and obeys :mod:`cirrus_runtime.process`.

    Parameters
    ----------
    entry : str
        Module to run with ``python -m``.

    Attributes
    ----------
    handle : LocalHandle or None
        The job that it runs; kept by the pool.
    holder : int
        Identity of the thread that has acquired it last; kept by the pool.
    idle_since : float
        ``time.monotonic()`` at its last release; kept by the pool.

    Raises
    ------
    WorkerError
        The process cannot be started.
    """

    def __init__(self, entry: str):
        if not sys.executable:
            raise WorkerError("sys.executable is empty: there is no Python to run workers with")
        self.handle = None
        self.holder = 0
        self.idle_since = 0.0
        self._lifeline = Lifeline()
        try:
            self.process = subprocess.Popen(
                # -P: a file in the current folder must not pass for a library.
                [sys.executable, "-P", "-m", entry],
                stdin=self._lifeline.read_end,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **_ONE_THREAD, "PYTHONPATH": _import_path()},
                start_new_session=True,  # Ctrl-C in the terminal is for the parent to handle
            )
        except OSError as error:
            self._lifeline.close()
            raise WorkerError(f"{sys.executable} cannot be run: {error}") from error
        finally:
            os.close(self._lifeline.read_end)
        self.pid = self.process.pid
        self.results = self.process.stdout.fileno()
        self.messages = self.process.stderr.fileno()
        os.set_blocking(self.results, False)
        os.set_blocking(self.messages, False)
        self._partial = {self.results: b"", self.messages: b""}
        self._last_words = deque(maxlen=_KEPT_LINES)

    def send(self, line: bytes) -> None:
        """Send a job; one to a worker that has just died is lost, and its end tells of that."""
        try:
            self._lifeline.write(line)
        except BrokenPipeError:
            pass
        except TimeoutError:
            self.kill()

    def read_results(self) -> tuple[list[dict], bool]:
        """Give the results that have come, and whether more may follow."""
        lines, is_open = self._read_lines(self.results)
        return [json.loads(line) for line in lines], is_open

    def read_messages(self) -> tuple[list[str], bool]:
        """Give the lines of standard error that have come, and whether more may follow."""
        lines, is_open = self._read_lines(self.messages)
        text = [line.decode(errors="replace").rstrip() for line in lines]
        self._last_words.extend(text)
        return text, is_open

    def end(self) -> None:
        """Let the process end by itself, at once; does not wait."""
        self._lifeline.close()

    def kill(self) -> None:
        """Send SIGKILL; does not wait."""
        self.process.kill()

    def reap(self) -> None:
        """Close the pipes of a process that is ending, and wait for its exit code."""
        self._lifeline.close()
        self.process.stdout.close()
        self.process.stderr.close()
        try:
            self.process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            try:
                self.process.wait(_EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:  # stuck in the kernel, where SIGKILL awaits it
                self.process.returncode = -signal.SIGKILL

    def death(self) -> WorkerResult:
        """Describe the end of a reaped process, with its last words, as the result of its job."""
        code = self.process.returncode
        if code >= 0:
            how = f"ended with exit code {code}"
        else:
            how = f"was ended by signal {-code} ({_signal_name(-code)})"
        words = "\n".join(self._last_words)
        error = f"worker process {self.pid} {how}" + (f":\n{words}" if words else "")
        return WorkerResult(ok=False, error_type="WorkerDied", error=error, exit_code=code)

    def forget(self) -> None:
        """In a forked child: it is the parent's process, so Popen must not warn about it."""
        self.process.returncode = 0

    def _read_lines(self, descriptor: int) -> tuple[list[bytes], bool]:
        """Read what is there without blocking, and cut it into whole lines."""
        data = [self._partial[descriptor]]
        is_open = True
        try:
            while chunk := os.read(descriptor, _READ):
                data.append(chunk)
            is_open = False
        except BlockingIOError:
            pass
        *lines, rest = b"".join(data).split(b"\n")
        if not is_open and rest:
            lines, rest = [*lines, rest], b""
        self._partial[descriptor] = rest
        return lines, is_open


def _signal_name(number: int) -> str:
    """Give the name of a signal, which the real-time ones lack."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def _import_path() -> str:
    """Give the worker our own import path, in our order, whatever has been added to it."""
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)


class LocalHandle(WorkerHandle):
    """A job on a process of a pool."""

    def __init__(self, job: dict, pool, process: LocalProcess):
        super().__init__(job)
        self.pid = process.pid
        self.is_killed = False
        self._pool = pool
        self._process = process

    def kill(self) -> None:
        self._pool.kill(self._process, self)
