"""Where a run takes place: the concrete board, engine, store and backend that a Config asks for."""

import os

import redis

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import InlineEngine, open_engine
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import Resources

from ._scratch import scratch_folder
from .servers import open_server
from .workers.inline import InlineBackend
from .workers.local import LocalBackend


class Place:
    """Board, engine, store and worker backend of one run.

    Attributes
    ----------
    board, engine, store, backend
    redis_url : str or None
    """

    def __init__(self, board, engine, store, backend, redis_url=None):
        self.board = board
        self.engine = engine
        self.store = store
        self.backend = backend
        self.redis_url = redis_url

    def put_up(self):
        """Make what the board needs."""
        if self.redis_url is not None:
            self.board.put_up()

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
    client = _client(server.url)
    store = open_store(config.store_url or f"file://{scratch_folder()}")
    board = RedisBoard(client, RunKeys(run_id), lease_seconds=config.lease_seconds)
    return Place(board, open_engine(client, config.engine), store, LocalBackend(), server.url)


_clients = {}


def _client(url):
    """Return the client of this process for a url: a fit need not connect anew."""
    key = os.getpid(), url  # a fork must not talk on its parent's connections
    if key not in _clients:
        _clients.clear()
        _clients[key] = redis.Redis.from_url(url)
    return _clients[key]
