"""moto's S3 on the loopback, behind a door that refuses and delays a seeded share of requests."""

import random
import threading
import time
from collections import Counter
from contextlib import contextmanager

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_BODY = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
    "<Message>Please try again.</Message></Error>"
)
_STATUS = {500: ("500 Internal Server Error", "InternalError"), 503: ("503 Slow Down", "SlowDown")}


class FaultyS3:
    """An S3 service.

    Attributes
    ----------
    url : str
    counts : Counter
        Requests by method: ``LIST`` for a GET of a bucket.
    refused, delayed : int
        How many requests met a fault.
    """

    def __init__(self):
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._lock = threading.Lock()
        self.counts = Counter()
        self.refused = self.delayed = 0
        self._plan = None
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @contextmanager
    def faults(self, seed, refuse=0.0, delay=0.0, seconds=0.5):
        """Refuse a share of the requests with 500 or 503, and delay a share."""
        self.refused = self.delayed = 0
        self._plan = random.Random(seed), refuse, delay, seconds
        try:
            yield self
        finally:
            self._plan = None

    def _serve(self, environ, start_response):
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        refused, pause = None, 0.0
        with self._lock:
            self.counts["LIST" if method == "GET" and "/" not in path.strip("/") else method] += 1
            if self._plan is not None:
                draw, refuse, delay, seconds = self._plan
                if draw.random() < refuse:
                    refused = draw.choice((500, 503))
                    self.refused += 1
                if draw.random() < delay:
                    pause = draw.uniform(0, seconds)
                    self.delayed += 1
        time.sleep(pause)
        if refused is None:
            return self._app(environ, start_response)
        # Or the client's sending fails, and not its request.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        line, code = _STATUS[refused]
        body = _BODY.format(code=code).encode()
        start_response(
            line, [("Content-Type", "application/xml"), ("Content-Length", f"{len(body)}")]
        )
        return [body]
