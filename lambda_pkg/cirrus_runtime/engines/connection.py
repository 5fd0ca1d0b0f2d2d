"""One held connection to Redis or Valkey, and what its errors become."""

import ssl
import threading
from socket import MSG_PEEK
from socket import socket as _Socket

import numpy as np
import redis

from ..errors import ServerError, ServerUnavailable
from .base import refusal


def pack(*arguments):
    """Return a command (bytes-like arguments) as the bytes that go to the server."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        parts += (b"$%d\r\n" % memoryview(argument).nbytes, argument, b"\r\n")
    return b"".join(parts)


# redis-py would look its version up in its metadata for every connection, and tell the server in
# two more round trips. Its older versions take other arguments.
SILENT = dict.fromkeys(
    ("driver_info",) if hasattr(redis, "DriverInfo") else ("lib_name", "lib_version")
)
_LONGEST_HEAD = 24  # bytes, of the length before a bulk string
_WHEN_FULL = (
    " The server is full: raise its maxmemory (CONFIG SET maxmemory), delete other keys, use a "
    "server of its own, or train a smaller model (fewer columns or classes, another solver)."
)


def read_vector(held, key):
    """Return the float64 values in a plain string key."""
    reply = held.call(pack(b"GETRANGE", key.encode(), b"0", b"-1"))
    if not reply:
        raise refusal("NOMODEL there is no vector at this key")
    return np.frombuffer(reply, np.float64)


def connect(url, seconds):
    """Return a client of a url that waits no more than ``seconds`` for any answer.

    A limit that the url itself sets goes before; waits of the board are shorter than two seconds.
    """
    seconds = max(2.0, seconds)
    return redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, **SILENT
    )


def lost(error):
    """Return the exception for an error of redis-py that ended a connection."""
    refused = isinstance(error, (redis.AuthenticationError, redis.exceptions.InvalidResponse))
    kind = ServerError if refused else ServerUnavailable
    return kind(f"the parameter server cannot be reached: {error}")


def _send_parts(socket, parts):
    """Send parts one after the other, as a rule in one system call; none is copied."""
    left = [view.cast("B") for view in map(memoryview, parts) if view.nbytes]
    while left:
        sent = socket.sendmsg(left)
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if left:
            left[0] = left[0][sent:]


def _bulk_length(socket):
    """Return the length of the bulk string that comes next, None if that cannot be told yet, or
    another reply comes; nothing is read."""
    mark, *rest = socket.recv(_LONGEST_HEAD, MSG_PEEK).partition(b"\r\n")
    return int(mark[1:]) if rest[0] and mark[:1] == b"$" and mark[1:].isdigit() else None


def _receive_bulk(socket, nbytes):
    """Return the value of a bulk string that must have ``nbytes``, as a uint8 array."""
    head = b"$%d\r\n" % nbytes
    start = -(-len(head) // 16) * 16  # the value is aligned for whatever it holds
    reply = np.empty(start + nbytes + 2, np.uint8)
    view = memoryview(reply)[start - len(head) :]
    got = 0
    while got < len(view):
        count = socket.recv_into(view[got:])
        if not count:
            raise ConnectionError("the server closed the connection")
        got += count
        if bytes(view[: min(got, len(head))]) != head[:got]:
            raise ConnectionError(f"the server's reply is not one of {nbytes} bytes")
    return reply[start:-2]


class HeldConnection:
    """A connection outside the client's pool: a hot loop must not borrow one for every step.

    It has the client's address, password, TLS and timeouts, opens at its first command, and opens
    again at the next command after it was lost. Only one thread talks at a time.

    Parameters
    ----------
    client : redis.Redis
    """

    def __init__(self, client):
        pool = client.connection_pool
        self._connection = pool.connection_class(**pool.connection_kwargs)
        self._lock = threading.Lock()

    def call(self, packed):
        """Send a packed command and return its reply, undecoded.

        Raises
        ------
        ServerError
            Or a subclass by the first word of the reply.
        ServerUnavailable
            If the connection was lost or cannot be made; the cause is redis-py's exception, and
            whether the command was executed is unknown.
        """
        return self.call_all(packed, 1)[0]

    def call_all(self, packed, count):
        """Send packed commands and return their ``count`` replies; raises as :meth:`call`.

        If one is refused, the first refusal is raised when all replies have been read.
        """
        with self._lock:
            self.send(packed)
            return self.receive(count)

    def call_parts(self, parts):
        """Send a packed command in parts, and return its reply; bulk strings as uint8 arrays.

        The same as :meth:`call` for large arguments and replies, but neither is copied, where
        the socket allows it (TLS does not).
        """
        with self._lock:
            try:
                self._connection.connect()
                socket = getattr(self._connection, "_sock", None)  # redis-py shows no more of it
                plain = isinstance(socket, _Socket) and not isinstance(socket, ssl.SSLSocket)
                if plain:
                    _send_parts(socket, parts)
                    nbytes = _bulk_length(socket)
                    if nbytes is not None:
                        return _receive_bulk(socket, nbytes)
            except BaseException as error:
                self._lose(error)
                raise
            if not plain:
                self.send(b"".join(parts))
            reply = self.receive()[0]
            return np.frombuffer(reply, np.uint8) if isinstance(reply, bytes) else reply

    def send(self, packed):
        """Send packed commands: the first half of :meth:`call_all`, for a caller that has several
        connections and sends on all of them before it waits. It sees to it that no other thread
        comes between, and if it cannot go on to :meth:`receive`, it must :meth:`close`.
        """
        try:
            self._connection.send_packed_command([packed], False)
        except BaseException as error:
            self._lose(error)
            raise

    def receive(self, count=1):
        """Return the replies to what was sent: the second half of :meth:`call_all`."""
        connection = self._connection
        replies, refused = [], None
        try:
            for _ in range(count):
                try:
                    replies.append(connection.read_response(disable_decoding=True))
                except redis.ResponseError as error:
                    refused = refused or error
        except BaseException as error:
            self._lose(error)
            raise
        if refused is None:
            return replies
        # redis-py has cut the word off a refusal for want of memory.
        full = isinstance(refused, redis.OutOfMemoryError)
        raise refusal(f"OOM {refused}{_WHEN_FULL}" if full else str(refused)) from refused

    def _lose(self, error):
        """Disconnect, for a reply may be under way that no one will read."""
        self._connection.disconnect()
        if isinstance(error, (redis.RedisError, OSError)):
            raise lost(error) from error

    def close(self):
        """Close the connection; the next command opens it again."""
        with self._lock:
            self._connection.disconnect()
