"""Who runs Redis: this process (embedded) or somebody else (external)."""

from .access import WorkerAccess
from .base import Server
from .embedded import EmbeddedServer, shared_server
from .external import ExternalServer

__all__ = [
    "EmbeddedServer",
    "ExternalServer",
    "Server",
    "WorkerAccess",
    "open_server",
    "open_servers",
    "shared_server",
]


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
