"""HTTP in front: requests of boto3 come in, are sent to their operation, and are answered.

The server is the standard library's, one thread for each connection that a client keeps open. An
invocation runs on the thread of its connection, so hundreds at once are hundreds of threads that
wait. Only 127.0.0.1 is bound, and a request without a signature is refused: so a page in a
browser, which cannot add one to a simple request, cannot run code here.
"""

import contextlib
import json
import logging
import re
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from ._errors import ApiError, too_large
from ._limits import CREATE_REQUEST

logger = logging.getLogger(__name__)
_JOIN_TIMEOUT = 10.0

_FUNCTION = r"/functions/(?P<name>[^/]+)"
_ROUTES = [
    (method, re.compile(path + "/?"), operation)
    for method, path, operation in (
        ("POST", rf"/2015-03-31{_FUNCTION}/invocations", "Invoke"),
        ("POST", r"/2015-03-31/functions", "CreateFunction"),
        ("GET", r"/2015-03-31/functions", "ListFunctions"),
        ("GET", rf"/2015-03-31{_FUNCTION}", "GetFunction"),
        ("DELETE", rf"/2015-03-31{_FUNCTION}", "DeleteFunction"),
        ("PUT", rf"/2015-03-31{_FUNCTION}/code", "UpdateFunctionCode"),
        ("PUT", rf"/2015-03-31{_FUNCTION}/configuration", "UpdateFunctionConfiguration"),
        ("GET", rf"/2015-03-31{_FUNCTION}/configuration", "GetFunctionConfiguration"),
        ("PUT", rf"/2017-10-31{_FUNCTION}/concurrency", "PutFunctionConcurrency"),
        ("DELETE", rf"/2017-10-31{_FUNCTION}/concurrency", "DeleteFunctionConcurrency"),
        ("GET", rf"/2019-09-30{_FUNCTION}/concurrency", "GetFunctionConcurrency"),
        ("PUT", rf"/2019-09-25{_FUNCTION}/event-invoke-config", "PutFunctionEventInvokeConfig"),
        ("POST", rf"/2019-09-25{_FUNCTION}/event-invoke-config", "UpdateFunctionEventInvokeConfig"),
        ("GET", rf"/2019-09-25{_FUNCTION}/event-invoke-config", "GetFunctionEventInvokeConfig"),
        (
            "DELETE",
            rf"/2019-09-25{_FUNCTION}/event-invoke-config",
            "DeleteFunctionEventInvokeConfig",
        ),
        ("GET", r"/2016-08-19/account-settings", "GetAccountSettings"),
        ("POST", r"/2017-03-31/tags/(?P<name>[^/]+)", "TagResource"),
        ("GET", r"/2017-03-31/tags/(?P<name>[^/]+)", "ListTags"),
        ("DELETE", r"/2017-03-31/tags/(?P<name>[^/]+)", "UntagResource"),
    )
]


class Front(ThreadingHTTPServer):
    """The listening server.

    Parameters
    ----------
    port : int
        0 takes a free one.
    operations : dict of str to callable
        By name: ``operation(name, query, headers, body) -> (status, headers, body)``, where the
        body of the answer is bytes or what becomes JSON.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, port: int, operations: dict):
        self.operations = operations
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name="cirrus-emulator-front", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more, close all connections and wait for their threads."""
        with contextlib.suppress(OSError):  # wakes the thread at once, where the system does so
            self.socket.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client was faster
        for thread in open_now.values():
            thread.join(_JOIN_TIMEOUT)

    def process_request_thread(self, request, client_address):
        """Serve one connection, and remember it while it is open."""
        with self._lock:
            self._connections[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._connections[request]

    def handle_error(self, request, client_address):
        """Note what went wrong with a connection; clients may go away at any time."""
        logger.debug("a connection broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one piece

    def do_POST(self):
        """Answer a request of any method."""
        try:
            status, headers, body = self._operate()
        except ApiError as error:
            status, body = error.status, error.body()
            headers = {"x-amzn-ErrorType": error.code}
            if status == 429:
                headers["Retry-After"] = "1"
        except Exception:
            logger.exception("%s %s", self.command, self.path)
            status, body = 500, {"Type": "Service", "message": "the emulator failed; see its log"}
            headers = {"x-amzn-ErrorType": "ServiceException"}
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers.setdefault("X-Amzn-RequestId", str(uuid.uuid4()))
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

    def log_message(self, format, *arguments):
        """Log what the base class would print."""
        logger.debug(format, *arguments)

    def _operate(self):
        """Find the operation and run it."""
        body = self._body()
        if not self.headers.get("Authorization", "").startswith("AWS4-"):
            raise ApiError(
                "MissingAuthenticationTokenException", 403, "Missing Authentication Token"
            )
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        for method, path, operation in _ROUTES:
            if method == self.command and (found := path.fullmatch(url.path)):
                name = unquote(found.groupdict().get("name") or "")
                return self.server.operations[operation](name, query, self.headers, body)
        raise ApiError(
            "UnknownOperationException",
            404,
            f"{self.command} {url.path} is not among the operations that are emulated",
        )

    def _body(self) -> bytes:
        """Read the whole body, unless it is larger than any request may be."""
        try:
            size = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            size = -1
        if size < 0 or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise ApiError("InvalidRequestContentException", 411, "Content-Length is required.")
        if size > CREATE_REQUEST:
            self.close_connection = True
            raise too_large(CREATE_REQUEST, "CreateFunction")
        return self.rfile.read(size)
