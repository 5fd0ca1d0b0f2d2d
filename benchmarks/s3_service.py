"""An S3 on 127.0.0.1 in a process of its own: moto's, with connections that stay open.

``emulated_cloud.py`` starts it. It prints its port and ends when its standard input does: however
the benchmark ends, the kernel closes that pipe.
"""

import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class _Handler(WSGIRequestHandler):
    """Keeps connections open, as S3 does: a client need not connect for every request."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        """Say nothing of requests that were answered."""


def main():
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
