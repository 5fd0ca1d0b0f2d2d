"""Who runs Redis: this process (embedded) or somebody else (external)."""

import time

from ..exceptions import ServerUnavailable
from .base import Server
from .embedded import EmbeddedServer, replace_shared, shared_server
from .external import ExternalServer

__all__ = [
    "EmbeddedServer",
    "ExternalServer",
    "Server",
    "open_server",
    "reopen_server",
    "shared_server",
]

_POLL_SECONDS = 0.2  # between two attempts to reach a server


def open_server(redis_url: str | None = None, server_binary: str | None = None) -> Server:
    """Give a server that answers: the one at the url, or else the embedded one of this process.

    Parameters
    ----------
    redis_url : str, optional
        ``redis://``, ``rediss://`` or ``unix://``. Such a server is used and never stopped.
    server_binary : str, optional
        Program to run as the embedded server, instead of the one that is found by itself.

    Returns
    -------
    Server
        Started. The embedded server is shared by all fits of the process and ends with it, so
        a fit must not stop it.

    Raises
    ------
    ServerError
        The server cannot be reached or started.
    """
    if redis_url is None:
        return shared_server(server_binary)
    server = ExternalServer(redis_url)
    server.start()
    return server


def reopen_server(
    url: str, redis_url: str | None, server_binary: str | None, seconds: float
) -> Server:
    """Give a server that answers, after the connection to one was lost.

    Parameters
    ----------
    url : str
        Of the server that was lost.
    redis_url, server_binary : str, optional
        As for :func:`open_server`. An embedded server that does not answer is killed and
        replaced, once for all fits that have lost it; an external one is waited for.
    seconds : float
        How long.

    Returns
    -------
    Server

    Raises
    ------
    ServerUnavailable
        An external server does not answer in this time.
    ServerError
        No embedded server can be started.
    """
    if redis_url is None:
        return replace_shared(server_binary, url, min(seconds, 5.0))
    server = ExternalServer(redis_url, timeout=min(seconds, 5.0))
    deadline = time.monotonic() + seconds
    while not server.is_alive():
        if time.monotonic() > deadline:
            raise ServerUnavailable(
                f"the server at {server.address} was lost and cannot be reached for {seconds:g} s"
            )
        time.sleep(_POLL_SECONDS)
    return server
