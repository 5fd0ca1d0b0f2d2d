"""Where a run takes place: the concrete board, engine, store and backend that a Config asks for."""

import os
from dataclasses import replace

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import InlineEngine, open_shards
from cirrus_runtime.engines.connection import connect
from cirrus_runtime.errors import ServerUnavailable
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import Resources

from ._scratch import scratch_folder
from .servers import WorkerAccess, open_servers, reopen_servers
from .workers.inline import InlineBackend
from .workers.local import LocalBackend


class Place:
    """Board, engine, store and worker backend of one run.

    Attributes
    ----------
    board, engine, store, backend
    """

    def __init__(self, board, engine, store, backend):
        self.board = board
        self.engine = engine
        self.store = store
        self.backend = backend
        self._access = None

    @classmethod
    def on_servers(cls, urls, store, backend, config, run_id):
        """Return a place on servers, whose urls are those of the trainer."""
        place = cls(None, None, store, backend)
        place._config = config
        place._keys = RunKeys(run_id)
        place._instances = [None]
        place._open(urls)
        return place

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
        """Make what the board needs, and let the workers in."""
        if self._access is not None:
            self._access.grant()
            self.board.put_up()
            self._instances = self._ask_instances()

    def reconnect(self):
        """Reach the servers again after one was lost; an embedded one that died is replaced.

        Board and engine are new ones if a url is another. Workers are let in to a server that is
        not the one that it was by :meth:`put_up` alone.

        Returns
        -------
        bool
            Whether they still are the servers that they were: if not, what they held is lost or
            old, be it only on one of them.

        Raises
        ------
        ServerUnavailable
            If one cannot be reached for ``retry_seconds``.
        """
        if self._access is None:
            return True
        config = self._config
        servers = reopen_servers(
            self._urls, config.redis_urls, config.server_binary, config.retry_seconds
        )
        self.board.close()
        self.engine.close()
        urls = tuple(server.url for server in servers)
        if urls != self._urls:
            self._open(urls)
            return False
        try:
            return None not in self._instances and self._ask_instances() == self._instances
        except ServerUnavailable:
            return False

    def _open(self, urls):
        """Open board and engine on servers, and draw up an access for workers."""
        config = self._config
        clients = _open_clients(urls, config.retry_seconds)
        self.board = RedisBoard(clients[0], self._keys, lease_seconds=config.lease_seconds)
        self.engine = open_shards(clients, config.engine)
        self._access = WorkerAccess(urls, self._keys, self.engine.name)
        self._urls = urls

    def _ask_instances(self):
        """Return what tells each server from the one that may take its place."""
        instances = [self.board.instance()]
        for client in _open_clients(self._urls, self._config.retry_seconds)[1:]:
            other = RedisBoard(client, self._keys)
            instances.append(other.instance())
            other.close()
        return instances

    def close(self):
        """Take the workers' access away; close connections and store."""
        try:
            if self._access is not None:
                self._access.revoke()
        finally:
            self.board.close()
            self.engine.close()
            self.store.close()


def open_place(config, run_id, nbytes):
    """Return the place for a run.

    Parameters
    ----------
    config : Config
    run_id : str
    nbytes : float
        About the size of all blocks together. Backend inline keeps them in memory, but in files
        if they are more than a worker may keep: data need not fit into memory twice.

    Returns
    -------
    Place

    Raises
    ------
    ServerError, StoreError
        If server or store cannot be opened.
    """
    if config.backend == "inline":
        board, engine = InlineBoard(), InlineEngine()
        if nbytes <= config.buffer_bytes:
            store = MemoryStore()
        else:
            store = open_store(f"file://{scratch_folder()}")
        resources = Resources(board, engine, store)
        backend = InlineBackend(resources, cancel=board.take_down)
        return Place(board, engine, store, backend)
    servers = open_servers(config.redis_urls, config.n_servers, config.server_binary)
    urls = tuple(server.url for server in servers)
    store = open_store(config.store_url or f"file://{scratch_folder()}")
    return Place.on_servers(urls, store, LocalBackend(), config, run_id)


_clients = {}


def _open_clients(urls, seconds):
    """Return the clients of this process for urls: a fit need not connect anew."""
    key = os.getpid(), urls, seconds  # a fork must not talk on its parent's connections
    if key not in _clients:
        _clients.clear()
        _clients[key] = [connect(url, seconds) for url in urls]
    return _clients[key]
