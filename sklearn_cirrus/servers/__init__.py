"""Who runs Redis: this process (embedded) or somebody else (external)."""

import time

from ..exceptions import ServerUnavailable
from .access import WorkerAccess
from .base import Server
from .embedded import EmbeddedServer
from .external import ExternalServer
from .shared import replace_shared, shared_server

__all__ = [
    "EmbeddedServer",
    "ExternalServer",
    "Server",
    "WorkerAccess",
    "open_server",
    "open_servers",
    "reopen_servers",
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


def open_servers(
    redis_urls: tuple[str, ...] = (), n_servers: int = 1, server_binary: str | None = None
) -> list[Server]:
    """Give the servers that a model is split over; like :func:`open_server` for each.

    Parameters
    ----------
    redis_urls : tuple of str
        Urls of servers that somebody else runs.
    n_servers : int
        Without urls: how many embedded servers of this process.
    server_binary : str, optional
        As in :func:`open_server`.

    Returns
    -------
    list of Server

    Raises
    ------
    ServerError
        A server cannot be reached or started.
    """
    if redis_urls:
        return [open_server(url) for url in redis_urls]
    return [shared_server(server_binary, number) for number in range(n_servers)]


def reopen_servers(
    urls: tuple[str, ...], redis_urls: tuple[str, ...], server_binary: str | None, seconds: float
) -> list[Server]:
    """Give servers that answer, after the connection to one of them was lost.

    Parameters
    ----------
    urls : tuple of str
        Of all the servers, as they were.
    redis_urls, server_binary : tuple of str, and str, optional
        As for :func:`open_servers`. An embedded server that does not answer is killed and
        replaced, once for all fits that have lost it; an external one is waited for.
    seconds : float
        How long.

    Returns
    -------
    list of Server

    Raises
    ------
    ServerUnavailable
        An external server does not answer in this time.
    ServerError
        No embedded server can be started.
    """
    patience = min(seconds, 5.0)
    if not redis_urls:
        return [
            replace_shared(server_binary, url, patience, number) for number, url in enumerate(urls)
        ]
    deadline = time.monotonic() + seconds
    servers = [ExternalServer(url, timeout=patience) for url in redis_urls]
    for server in servers:
        while not server.is_alive():
            if time.monotonic() > deadline:
                raise ServerUnavailable(
                    f"the server at {server.address} was lost and cannot be reached "
                    f"for {seconds:g} s"
                )
            time.sleep(_POLL_SECONDS)
    return servers
