"""Where a run takes place: the concrete board, engine, store and backend that a Config asks for."""

import os

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import InlineEngine, open_engine
from cirrus_runtime.engines.connection import connect
from cirrus_runtime.errors import ServerUnavailable
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import Resources

from ._scratch import scratch_folder
from .servers import open_server, reopen_server
from .workers.inline import InlineBackend
from .workers.local import LocalBackend


class Place:
    """Board, engine, store and worker backend of one run.

    Attributes
    ----------
    board, engine, store, backend
    redis_url : str or None
    """

    def __init__(self, board, engine, store, backend, redis_url=None, config=None):
        self.board = board
        self.engine = engine
        self.store = store
        self.backend = backend
        self.redis_url = redis_url
        self._config = config
        self._instance = None

    def put_up(self):
        """Make what the board needs."""
        if self.redis_url is not None:
            self.board.put_up()
            self._instance = self.board.instance()

    def reconnect(self, run_id):
        """Reach the server again after it was lost; an embedded one that died is replaced.

        Board and engine are new ones if the url is another.

        Returns
        -------
        bool
            Whether it is still the server that it was: if not, what it held is lost or old.

        Raises
        ------
        ServerUnavailable
            If it cannot be reached for ``retry_seconds``.
        """
        config = self._config
        if self.redis_url is None:
            return True
        server = reopen_server(
            self.redis_url, config.redis_url, config.server_binary, config.retry_seconds
        )
        self.board.close()
        self.engine.close()
        if server.url != self.redis_url:
            self.redis_url = server.url
            self.board, self.engine = _board_and_engine(server.url, config, run_id)
            return False
        try:
            return self._instance is not None and self.board.instance() == self._instance
        except ServerUnavailable:
            return False

    def close(self):
        """Close connections and store."""
        self.board.close()
        self.engine.close()
        self.store.close()


def open_place(config, run_id):
    """Return the place for a run.

    Parameters
    ----------
    config : Config
    run_id : str

    Returns
    -------
    Place

    Raises
    ------
    ServerError, StoreError
        If server or store cannot be opened.
    """
    if config.backend == "inline":
        board, engine, store = InlineBoard(), InlineEngine(), MemoryStore()
        resources = Resources(board, engine, store)
        backend = InlineBackend(resources, cancel=board.take_down)
        return Place(board, engine, store, backend)
    server = open_server(config.redis_url, config.server_binary)
    board, engine = _board_and_engine(server.url, config, run_id)
    store = open_store(config.store_url or f"file://{scratch_folder()}")
    return Place(board, engine, store, LocalBackend(), server.url, config)


def _board_and_engine(url, config, run_id):
    """Return the board and the engine on a server."""
    client = _client(url, config.retry_seconds)
    board = RedisBoard(client, RunKeys(run_id), lease_seconds=config.lease_seconds)
    return board, open_engine(client, config.engine)


_clients = {}


def _client(url, seconds):
    """Return the client of this process for a url: a fit need not connect anew."""
    key = os.getpid(), url, seconds  # a fork must not talk on its parent's connections
    if key not in _clients:
        _clients.clear()
        _clients[key] = connect(url, seconds)
    return _clients[key]
