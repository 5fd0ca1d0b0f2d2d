"""What a worker works with, and what of it stays open for the jobs that follow."""

from .board_redis import RedisBoard
from .engines import open_shards
from .engines.connection import connect
from .store import keep_store


class Resources:
    """What a worker works with.

    Parameters
    ----------
    board : Board
    engine : Engine
    store : Store
    """

    def __init__(self, board, engine, store):
        self.board = board
        self.engine = engine
        self.store = store

    def close(self):
        """Close board and engine; the store is the process's."""
        self.board.close()
        self.engine.close()


_clients = {}


def _open_clients(urls, seconds):
    """Return the Redis clients of this process for urls: jobs that follow reuse them."""
    if (urls, seconds) not in _clients:
        _clients.clear()  # the servers before are most likely gone
        _clients[urls, seconds] = [connect(url, seconds) for url in urls]
    return _clients[urls, seconds]


def open_resources(job, keys):
    """Open what a job names."""
    clients = _open_clients((job.redis_url, *job.shard_urls), job.retry_seconds)
    board = RedisBoard(
        *(clients[0], keys),
        worker=job.worker,
        generation=job.generation,
        lease_seconds=job.lease_seconds,
    )
    return Resources(board, open_shards(clients, job.engine), keep_store(job.store_url))
