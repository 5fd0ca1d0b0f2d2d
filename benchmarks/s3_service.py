"""An S3 on 127.0.0.1 in a process of its own: moto's, with connections that stay open.

``emulated_cloud.py`` starts it, and says how many seconds each answer is to be held back: the
network and the store's own time that a loopback lacks. It prints its port and ends when its
standard input does: however the benchmark ends, the kernel closes that pipe.
"""

import sys
import threading
import time

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class _Handler(WSGIRequestHandler):
    """Keeps connections open, as S3 does: a client need not connect for every request."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        """Say nothing of requests that were answered."""


def main():
    delay = float(sys.argv[1])
    moto = DomainDispatcherApplication(create_backend_app)

    def app(environ, start_response):
        time.sleep(delay)
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
