"""The dashboard's server: uvicorn in a thread, on 127.0.0.1."""

import secrets
import socket
import threading
import time
from pathlib import Path

import uvicorn

from ..exceptions import ConfigurationError
from ._app import Guard, make_app
from ._records import Records

_START_SECONDS = 30.0
_END_SECONDS = 5.0


class DashboardServer:
    """A dashboard that serves until it is closed. A context manager.

    Parameters
    ----------
    folder : path-like
        Of the journals; it need not be there yet.
    port : int, default=0
        On 127.0.0.1; 0: a free one.

    Attributes
    ----------
    url : str
        With the token: whoever has it may look, and stop runs.

    Raises
    ------
    ConfigurationError
        The port is taken, or the server does not start.
    """

    def __init__(self, folder, port=0):
        token = secrets.token_urlsafe(24)
        self._socket = socket.socket()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise ConfigurationError(f"port {port} of 127.0.0.1 cannot be had: {error}") from error
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/{token}/"
        app = make_app(Records(Path(folder)), lambda: self._server.should_exit)
        config = uvicorn.Config(
            Guard(app, token, lambda: port),
            log_config=None,
            access_log=False,  # it would have the token
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="cirrus-dashboard", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                raise ConfigurationError("the dashboard's server does not start")

    def wait(self):
        """Wait until the server ends."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def close(self):
        """End the server; open pages lose their connection."""
        self._server.should_exit = True
        self._thread.join(_END_SECONDS)
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()
