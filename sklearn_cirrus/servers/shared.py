"""The embedded servers of this process, which all of its fits share."""

import atexit
import logging
import os
import threading

from .embedded import EmbeddedServer

_log = logging.getLogger("sklearn_cirrus.servers")

_lock = threading.Lock()
_shared: dict[tuple[str | None, int], EmbeddedServer] = {}


def shared_server(server_binary: str | None = None, number: int = 0) -> EmbeddedServer:
    """Give an embedded server of this process, started now if it does not run.

    Parameters
    ----------
    server_binary : str, optional
        As in :class:`EmbeddedServer`.
    number : int
        Each program has one server of each number; a model split over n has those below n.

    Returns
    -------
    EmbeddedServer
        It ends with this process. One that was found dead is replaced by a new one.

    Raises
    ------
    ServerError
        No server can be started.
    """
    with _lock:
        server = _shared.get((server_binary, number))
        if server is None or not server.is_alive():
            if server is not None:
                _log.warning("the embedded server was gone and is started again")
                server.stop()
            server = _shared[server_binary, number] = EmbeddedServer(server_binary)
            server.start()
        return server


def replace_shared(
    server_binary: str | None, url: str, seconds: float, number: int = 0
) -> EmbeddedServer:
    """Give the embedded server of this process after the connection to it was lost.

    Parameters
    ----------
    server_binary : str, optional
        As in :class:`EmbeddedServer`.
    url : str
        Of the server that was lost: it is killed and replaced if it does not answer; but if
        another has replaced it already, that one is given.
    seconds : float
        Time to answer in.
    number : int
        As in :func:`shared_server`.

    Returns
    -------
    EmbeddedServer

    Raises
    ------
    ServerError
        No server can be started.
    """
    with _lock:
        server = _shared.get((server_binary, number))
        # A frozen server accepts connections, but does not answer.
        if server is not None and server._url == url and not server.answers(seconds):
            _log.warning("the embedded server does not answer and is replaced")
            server.stop()
    return shared_server(server_binary, number)


@atexit.register
def _stop_shared() -> None:
    """End the servers of this process."""
    with _lock:
        while _shared:
            _shared.popitem()[1].stop()


def _after_fork_in_child() -> None:
    """Forget the parent's servers: their lifelines are closed already."""
    global _lock
    _lock = threading.Lock()
    for server in _shared.values():
        server.forget()
    _shared.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
