"""Who runs Redis: this process (embedded) or somebody else (external)."""

from .base import Server
from .embedded import EmbeddedServer, shared_server
from .external import ExternalServer

__all__ = ["EmbeddedServer", "ExternalServer", "Server", "open_server", "shared_server"]


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
