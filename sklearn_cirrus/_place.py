"""Where a run takes place: the concrete board, engine, store and backend that a Config asks for."""

import os
from dataclasses import replace

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines import InlineEngine, open_shards
from cirrus_runtime.engines.connection import connect
from cirrus_runtime.errors import ServerUnavailable
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.resources import Resources
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore

from ._aws_session import make_client
from ._cost import Meter
from ._ingest import Blocks
from ._outcome import CutShort
from ._scratch import scratch_folder
from ._shared_blocks import SharedPart, is_shared_here
from .servers import WorkerAccess, open_servers, reopen_servers
from .workers.inline import InlineBackend
from .workers.local import LocalBackend


class Place:
    """Board, engine, store and worker backend of one run.

    Attributes
    ----------
    board, engine, store, backend
    grows : bool
        Whether a run is to have as many workers as are worth it.
    """

    def __init__(self, board, engine, store, backend):
        self.board = board
        self.engine = engine
        self.store = store
        self.backend = backend
        self.grows = False
        self._shared = []
        self._access = None
        self._meter = self._max_cost = None

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
    def cost(self):
        """What the run has cost so far in US dollars: 0.0 on machines of one's own."""
        return 0.0 if self._meter is None else self._meter.dollars(self.store.requests)

    def count_workers(self, config):
        """Return how many workers a run may have."""
        if config.n_workers == "auto":
            self.grows = True
            return self.backend.most_workers
        return config.n_workers or self.backend.default_workers

    def check_budget(self):
        """Raise CutShort if the run has cost all that it may."""
        if self._max_cost is not None and self.cost >= self._max_cost:
            raise CutShort("The budget was spent (max_cost)")

    @property
    def redis_urls(self):
        """Urls of the servers, as workers are to reach them; the first has the board."""
        return [] if self._access is None else self._access.urls

    @property
    def clients(self):
        """Clients of the servers for questions of this process; none on backend inline."""
        return [] if self._access is None else _open_clients(self._urls, self._config.retry_seconds)

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

    def share(self, part):
        """Return a part of the data, as one whose blocks fits on other threads have too if it can.

        Parameters
        ----------
        part : Part or None
        """
        if not isinstance(getattr(part, "blocks", None), Blocks):
            return part
        if not self.shares:
            return part
        return self.keep(SharedPart(part, self.store.url))

    @property
    def shares(self):
        """Whether what this fit puts may be used by fits on other threads."""
        return is_shared_here() and not isinstance(self.store, MemoryStore)

    def keep(self, shared):
        """Call ``shared.release()`` in the end; return it."""
        self._shared.append(shared)
        return shared

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
            for part in self._shared:
                part.release()
            self.store.close()
            if self._meter is not None:
                self._meter.stop()


def open_place(config, run_id, nbytes, host=None):
    """Return the place for a run.

    Parameters
    ----------
    config : Config
        For backend "lambda" a complete one: see ``_lambda_settings.py``.
    run_id : str
    nbytes : float
        About the size of all blocks together. Backend inline keeps them in memory, but in files
        if they are more than a worker may keep: data need not fit into memory twice.
    host : str, optional
        Type of the server's host, if it is to be paid for.

    Returns
    -------
    Place

    Raises
    ------
    ServerError, StoreError
        If server or store cannot be opened.
    ValueError
        If backend inline is asked for several workers.
    ConfigurationError, WorkerError
        If the function on AWS Lambda cannot be used, or not by so many workers.
    """
    if config.backend == "lambda":
        return _open_on_lambda(config, run_id, host)
    if config.backend == "inline":
        if config.n_workers not in (None, "auto", 1):
            raise ValueError(
                f"backend 'inline' has one worker, not {config.n_workers}: "
                "use backend='local' or n_workers=None"
            )
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
    store = open_store(config.store_url or f"file://{scratch_folder()}", make_client)
    return Place.on_servers(urls, store, LocalBackend(), config, run_id)


def _open_on_lambda(config, run_id, host):
    """Return the place for a run whose workers are on AWS Lambda."""
    # Late: boto3 takes longer to import than a small fit to run.
    from .workers.aws_lambda import MOST_WORKERS, LambdaBackend
    from .workers.aws_lambda_function import LambdaFunction

    n_workers = MOST_WORKERS if config.n_workers == "auto" else config.n_workers or 1
    function = LambdaFunction(config.function, n_workers)
    try:
        meter = Meter(
            *(function.region, function.architecture, function.memory, function.tmp_size),
            *(host, config.max_cost),
        )
        urls = tuple(server.url for server in open_servers(config.redis_urls))
        store = open_store(config.store_url, make_client)
        # A worker that has lost the server as well notices when it gives up looking for it.
        backend = LambdaBackend(function, store, meter, end_seconds=config.retry_seconds + 5.0)
        if config.n_workers != "auto":
            backend.check(n_workers)
        place = Place.on_servers(urls, store, backend, config, run_id)
    except BaseException:
        function.close()
        raise
    place._meter, place._max_cost = meter, config.max_cost
    return place


_clients = {}


def _open_clients(urls, seconds):
    """Return the clients of this process for urls: a fit need not connect anew."""
    key = os.getpid(), urls, seconds  # a fork must not talk on its parent's connections
    clients = _clients.get(key)
    if clients is None:
        clients = [connect(url, seconds) for url in urls]
        _clients.clear()
        _clients[key] = clients
    return clients
