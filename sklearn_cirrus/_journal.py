"""The journal of a run or a search: what happens, a line of JSON each, for the dashboard to read.

A file for each run lies in a folder of the user's, beside it, if somebody wants something of the
run, a file of commands:

    <folder>/<milliseconds since 1970>-<id>.jsonl       written by the fit, read by dashboards
    <folder>/<milliseconds since 1970>-<id>.commands    written by dashboards, read by the fit

The writer holds a lock on its file (flock), which the kernel takes back however a process ends: a
journal without an end that nobody holds is that of a run that was killed.

A journal never fails a fit. Where it cannot be written, it says so once, in the log, and is silent
from then on. Nor does it slow one down: lines wait in memory for up to 0.1 s, the file is made with
the first of them that are written, and old files are looked at now and then.
"""

import fcntl
import json
import logging
import math
import os
import time
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

VERSION = 1  # of the lines
SUFFIX, COMMANDS = ".jsonl", ".commands"

_MOST_JOURNALS = 500  # kept in a folder
_MOST_BYTES = 256 << 20  # of all that are kept
_LARGEST = 16 << 20  # of one; then only its end is written
_LARGEST_COMMANDS = 1 << 20
_WAIT_SECONDS = 0.1  # that a line waits in memory at most, while there are others to come
_LOOK_SECONDS = 0.2  # between looks for commands
_RUNS_BETWEEN_CLEARINGS = 50  # of a process: the first run clears, too

_opened = 0  # journals of this process


def journal_folder(setting="auto"):
    """Return the folder of the journals for the setting ``journal``, or None if it is "off".

    "auto" is ``sklearn-cirrus/runs`` in the user's folder of state, by the XDG base directory
    specification: ``$XDG_STATE_HOME``, or else ``~/.local/state``.
    """
    if setting == "off":
        return None
    if setting != "auto":
        return Path(setting).expanduser()
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        state = os.path.expanduser("~/.local/state")
    return Path(state) / "sklearn-cirrus" / "runs"


class Journal:
    """The journal of one run or search.

    Parameters
    ----------
    folder : Path or None
        None: nothing is written, and no commands come.
    name : str
        Id of the run.
    """

    def __init__(self, folder, name):
        self.name = f"{time.time_ns() // 1_000_000:013d}-{name}"
        self._folder = folder
        self._lines = []
        self._descriptor = None
        self._written = self._read = 0  # bytes of the journal, and of the commands
        self._flushed = self._looked = time.monotonic()

    @property
    def is_on(self):
        """Whether it is worth while to write."""
        return self._folder is not None

    def write(self, event, **fields):
        """Write a line, now or a little later; values are numbers, texts, lists and dicts."""
        if self._folder is not None:
            self._lines.append({"event": event, **fields})
            if time.monotonic() - self._flushed > _WAIT_SECONDS:
                self.flush()

    def flush(self, at_end=False):
        """Write what waits."""
        self._flushed = time.monotonic()
        if self._folder is None or not self._lines:
            return
        lines, self._lines = self._lines, []
        text = "".join(_line(line) for line in lines).encode()
        if self._written + len(text) > _LARGEST:
            if not at_end:
                return
            text = _line(lines[-1]).encode()
        try:
            if self._descriptor is None:
                self._open()
            self._written += os.write(self._descriptor, text)
        except OSError as error:
            self._give_up(error)

    def close(self):
        """Write what waits, and let the file go."""
        self.flush(at_end=True)
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(self._folder / (self.name + COMMANDS))

    def commands(self):
        """Return the commands that have come since the last call; looks now and then only."""
        now = time.monotonic()
        if self._folder is None or now - self._looked < _LOOK_SECONDS:
            return []
        self._looked = now
        self.flush()
        if self._folder is None:  # it could not be written
            return []
        try:
            with open(self._folder / (self.name + COMMANDS), "rb") as file:
                file.seek(self._read)
                text = file.read(_LARGEST_COMMANDS)
        except OSError:
            return []  # nobody wants anything
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [command for command in map(_parse, whole.splitlines()) if command is not None]

    def _open(self):
        """Make the file, and its folder if there is none."""
        global _opened
        path = self._folder / (self.name + SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _opened % _RUNS_BETWEEN_CLEARINGS == 0:
            clear(self._folder)
        _opened += 1

    def _give_up(self, error):
        """Write no more."""
        logger.warning("no journal of run %s, so no dashboard will show it: %s", self.name, error)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._folder = self._descriptor = None


def clear(folder, most=_MOST_JOURNALS, nbytes=_MOST_BYTES):
    """Remove the oldest journals of a folder beyond a number and a size; not those being written.

    Raises
    ------
    OSError
        The folder cannot be read.
    """
    sizes = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((SUFFIX, COMMANDS)):
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat().st_size
    journals = sorted((name for name in sizes if name.endswith(SUFFIX)), reverse=True)
    left = nbytes
    for number, name in enumerate(journals):
        left -= sizes[name]
        if (number < most and left >= 0) or is_held(folder / name):
            continue
        for suffix in (SUFFIX, COMMANDS):
            with suppress(FileNotFoundError):
                os.unlink(folder / (name.removesuffix(SUFFIX) + suffix))


def is_held(path):
    """Return whether the process that writes a journal still does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(descriptor)
    return False


def command(folder, name, **fields):
    """Send a command to the run of a journal; it looks for some five times a second.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path = folder / (name + COMMANDS)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, _line(fields).encode())
    finally:
        os.close(descriptor)


def _line(fields):
    """Return a line of JSON, in which numbers that are not finite are null."""
    try:
        text = json.dumps(fields, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_finite(fields), separators=(",", ":"), default=_plain)
    return text + "\n"


def _finite(value):
    """Return a value with None in place of numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "dtype"):
        value = _plain(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value):
    """Return what JSON has no form for as a number, if it is one, or as a short text."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return _finite(value.item())
    try:
        text = repr(value)
    except Exception:  # a user's class may raise anything, and a journal fails no fit
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 200 else text[:197] + "..."


def _parse(line):
    """Return a command, or None if it is none."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
