"""The Runtime API, as one slot sees it: HTTP on a loopback socket of its own.

There is no server thread. A slot's process asks for the next invocation and then waits, so the
thread that invokes a function holds both ends of the conversation: it answers that request with
the event, reads the response (or the error) that comes back, and reads the next request for an
invocation, which parks the slot until somebody invokes it again. The deadline is that of the
thread's own waits; while it waits it looks at the slot's memory and does the faults that are due.
"""

import http.client
import select
import socket
import time
from dataclasses import dataclass, field

_ROOT = "/2018-06-01/runtime/"
NEXT = ("GET", _ROOT + "invocation/next")
INIT_ERROR = ("POST", _ROOT + "init/error")
_BACKLOG = 4
_LINE = 1 << 16  # longest header line
_EOF_PAUSE = 0.001  # seconds between looks at a process that has closed its connection


class Deadline(Exception):
    """The time is over."""


@dataclass
class Request:
    """What the slot's process asks or says."""

    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes = field(repr=False)

    @property
    def what(self) -> tuple[str, str]:
        """Method and path, to be compared with :data:`NEXT` and the others."""
        return self.method, self.path


def response_path(request_id: str) -> str:
    """Where the result of an invocation is posted."""
    return f"{_ROOT}invocation/{request_id}/response"


def error_path(request_id: str) -> str:
    """Where the error of an invocation is posted."""
    return f"{_ROOT}invocation/{request_id}/error"


class RuntimeApi:
    """The emulator's end of one slot's conversation.

    Attributes
    ----------
    address : str
        For AWS_LAMBDA_RUNTIME_API.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connection = None
        self._file = None
        self._eof = False

    def receive(self, until: float, look) -> Request:
        """Wait for the next request.

        Parameters
        ----------
        until : float
            ``time.monotonic()`` of the deadline.
        look : callable
            Called while waiting; gives the seconds until it is to be called again, and raises
            what makes waiting pointless.

        Raises
        ------
        Deadline
            It is over.
        """
        while True:
            pause = look()
            left = until - time.monotonic()
            if left <= 0:
                raise Deadline
            pause = min(pause, left, _EOF_PAUSE if self._eof else pause)
            poll = select.poll()
            poll.register(self._listener, select.POLLIN)
            if self._connection is not None:
                poll.register(self._connection, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll(max(pause, 0) * 1000)}
            if self._connection is not None and self._connection.fileno() in ready:
                self._connection.settimeout(max(until - time.monotonic(), 0.001))
                try:
                    if request := self._read():
                        return request
                except TimeoutError as error:
                    raise Deadline from error
                except (OSError, ValueError, http.client.HTTPException):
                    pass  # it broke off in the middle: as good as closed
                self._drop()
                self._eof = True
            if self._listener.fileno() in ready:
                self._drop()
                self._connection, _ = self._listener.accept()
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._file = self._connection.makefile("rb", _LINE)
                self._eof = False

    def send(self, status: int, headers: dict, body: bytes, until: float) -> None:
        """Answer the last request; a process that is gone is noticed by the next receive.

        Raises
        ------
        Deadline
            The process did not take it in time.
        """
        lines = [f"HTTP/1.1 {status} {http.client.responses[status]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        if self._connection is None:
            return
        try:
            self._connection.settimeout(max(until - time.monotonic(), 0.001))
            self._connection.sendall("\r\n".join(lines).encode() + body)
        except TimeoutError as error:
            raise Deadline from error
        except OSError:
            self._drop()
            self._eof = True

    def close(self) -> None:
        """Close all sockets."""
        self._drop()
        self._listener.close()

    def _read(self) -> Request | None:
        """Read one request; None at the end of the connection."""
        line = self._file.readline(_LINE)
        if not line:
            return None
        method, path, _ = line.decode("latin-1").split()
        headers = http.client.parse_headers(self._file)
        size = int(headers.get("Content-Length") or 0)
        body = self._file.read(size)
        if len(body) < size:
            return None
        return Request(method, path, headers, body)

    def _drop(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._file.close()
            self._connection.close()
            self._connection = self._file = None
