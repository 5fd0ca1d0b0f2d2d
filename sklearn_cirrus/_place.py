"""Where a run takes place: the concrete board, engine, store and backend that a Config asks for."""

import os
from dataclasses import replace

import redis

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import InlineEngine, open_shards
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import Resources

from ._scratch import scratch_folder
from .servers import WorkerAccess, open_servers
from .workers.inline import InlineBackend
from .workers.local import LocalBackend


class Place:
    """Board, engine, store and worker backend of one run.

    Attributes
    ----------
    board, engine, store, backend
    """

    def __init__(self, board, engine, store, backend, access=None):
        self.board = board
        self.engine = engine
        self.store = store
        self.backend = backend
        self._access = access

    @property
    def redis_urls(self):
        """Urls of the servers, as workers are to reach them; the first has the board."""
        return [] if self._access is None else self._access.urls

    def complete(self, job):
        """Return the job with the places where it runs."""
        first, *others = self.redis_urls or [None]
        return replace(
            job,
            store_url=self.store.url,
            engine=self.engine.name,
            redis_url=first,
            shard_urls=tuple(others),
        )

    def put_up(self):
        """Make what the board needs."""
        if self._access is not None:
            self.board.put_up()

    def close(self):
        """Take the workers' access away; close connections and store."""
        try:
            if self._access is not None:
                self._access.revoke()
        finally:
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
    servers = open_servers(config.redis_urls, config.n_servers, config.server_binary)
    urls = tuple(server.url for server in servers)
    clients, keys = _open_clients(urls), RunKeys(run_id)
    store = open_store(config.store_url or f"file://{scratch_folder()}")
    board = RedisBoard(clients[0], keys, lease_seconds=config.lease_seconds)
    engine = open_shards(clients, config.engine)
    access = WorkerAccess(urls, keys, engine.name)
    place = Place(board, engine, store, LocalBackend(), access)
    try:
        access.grant()
    except BaseException:
        place.close()
        raise
    return place


_clients = {}


def _open_clients(urls):
    """Return the clients of this process for urls: a fit need not connect anew."""
    key = os.getpid(), urls  # a fork must not talk on its parent's connections
    if key not in _clients:
        _clients.clear()
        _clients[key] = [redis.Redis.from_url(url) for url in urls]
    return _clients[key]
