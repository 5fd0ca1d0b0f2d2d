"""A run without its trainer: what the tests of workers offer to them and hear from them."""

import itertools
from concurrent.futures import ThreadPoolExecutor

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import TrainJob
from cirrus_runtime.resources import Resources
from cirrus_runtime.server import InlineEngine, ModuleEngine, ParameterServer
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore
from cirrus_runtime.worker import run_worker

from ..redis_servers import wait_until

_numbers = itertools.count()
D, SOON = 12, 20.0  # columns of the data; seconds in which everything must have happened


class Run:
    """What a trainer has to do with workers: a board, a model and a store, and jobs to start.

    Parameters
    ----------
    server : RunningServer or None
        None: everything is in this process.
    folder : path
        For the store.
    """

    def __init__(self, server, folder):
        self.keys = RunKeys(f"run-{next(_numbers)}")
        self._server, self._resources, self._threads = server, None, []
        self._pool = ThreadPoolExecutor(4)
        self.places = {"store_url": "memory://", "engine": "inline"}
        if server is None:
            self.board, self.engine, self.store = InlineBoard(), InlineEngine(), MemoryStore()
            self._resources = Resources(self.board, self.engine, self.store)
        else:
            self.board = RedisBoard(server.client, self.keys)
            self.board.put_up()
            self.engine, self.store = ModuleEngine(server.client), open_store(folder.as_uri())
            self.places = {"store_url": self.store.url, "engine": "module"}
            self.places["redis_url"] = f"unix://{server.socket}"
        self.model = ParameterServer(self.engine, self.keys.model)

    def put(self, *blocks):
        """Put blocks; return their names."""
        names = [self.keys.block("train", number) for number in range(len(blocks))]
        for name, block in zip(names, blocks, strict=True):
            self.store.put(name, encode_block(block))
        return names

    def job(self, **fields):
        """Return a job as the dict that a worker gets."""
        job = {"n_features": D, "width": 1, "intercept": True, "batch_size": 16, "seed": 42}
        return TrainJob(run_id=self.keys.run_id, **self.places, **job | fields).to_json()

    def start(self, **fields):
        """Start a worker; return the future of its result."""
        self._threads.append(self._pool.submit(run_worker, self.job(**fields), self._resources))
        return self._threads[-1]

    def collect(self, count):
        """Wait for some reports; fail at once if a worker failed."""
        reports = []

        def done():
            for thread in self._threads:
                assert not thread.done() or thread.exception() is None, thread.exception()
            reports.extend(self.board.collect(0.1))
            return len(reports) >= count

        wait_until(done, "the reports do not come", SOON)
        assert len(reports) == count
        return reports

    def leases_left(self):
        """Return the numbers of the leases that can be taken."""
        numbers = []
        while (item := self.board.take(0.05)) is not None:
            numbers.append(item[1].number)
        return sorted(numbers)

    def end(self):
        """End the run, as the trainer does."""
        self.board.take_down()
        self.model.drop()

    def close(self):
        self.end()
        self._pool.shutdown()
        self.board.close()
        self.engine.close()
        self.store.close()
