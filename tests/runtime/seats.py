"""Boards to run the contract over: the trainer's and those of workers."""

import itertools
from concurrent.futures import ThreadPoolExecutor

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease, Report

from ..redis_servers import SERVERS, wait_until

_numbers = itertools.count()
SOON = 10.0  # seconds in which what happens "at once" must have happened
SECONDS = 0.1, 0.2, 0.3, 0.4, 0.5
LONG = 60.0  # seconds that nobody means to wait


class InlineSeats:
    """Trainer and worker of one process: one board."""

    def __init__(self):
        self.trainer = InlineBoard()

    def worker(self, number=0, generation=0):
        return self.trainer

    def close(self):
        pass


class RedisSeats:
    """A trainer and workers, each with a connection of its own."""

    def __init__(self, server, protocol):
        self.keys = RunKeys(f"board-{next(_numbers)}")
        self.server, self._protocol = server, protocol
        self._boards, self._clients = [], []
        self.trainer = self._board()
        self.trainer.put_up()

    def worker(self, number=0, generation=0, lease_seconds=30.0):
        return self._board(worker=number, generation=generation, lease_seconds=lease_seconds)

    def _board(self, **options):
        self._clients.append(self.server.connect(protocol=self._protocol))
        self._boards.append(RedisBoard(self._clients[-1], self.keys, **options))
        return self._boards[-1]

    def keys_left(self):
        """Return the keys of the run that are on the server."""
        return self.server.client.keys(f"*{self.keys.run_id}}}*")

    def close(self):
        self.trainer.take_down()
        for opened in self._boards + self._clients:
            opened.close()


# Each server once and each protocol once: the protocol's replies are the same on both.
ON_SERVERS = [f"{name}, RESP{protocol}" for protocol, name in enumerate(SERVERS, start=2)]


def sit_down(request, server_of):
    """Yield the seats on the server and protocol that the parameter names; "inline" has none."""
    name, _, protocol = request.param.partition(", RESP")
    seats = RedisSeats(server_of(name), int(protocol)) if protocol else InlineSeats()
    yield seats
    seats.close()


def lease(number):
    return Lease(number, "train", 1, number % 7, f"runs/1/train-{number}", 1 / 3, 0.1)


def report(number, worker=0):
    return Report(number, "train", 1, worker, 0, 10, 9.5, 1 / 3, 4, 1000, *SECONDS, "é")


def take_all(board):
    """Take until there is nothing to take; return the leases."""
    taken = []
    while (item := board.take(0.05)) is not None:
        taken.append(item[1])
    return taken


def collect(board, count):
    """Collect until ``count`` reports have come."""
    reports = []
    wait_until(lambda: reports.extend(board.collect(1.0)) or len(reports) >= count, "no reports")
    return reports


class InThread:
    """A call that is under way in a thread; ``result`` waits for its end."""

    def __init__(self, function, *arguments):
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(function, *arguments)
        self._pool.shutdown(wait=False)

    def result(self):
        return self._future.result(SOON)


def wait_until_blocked(seats, count=1):
    """Wait until clients wait on the server (there is no telling in process, nor any need)."""
    if isinstance(seats, RedisSeats):
        client = seats.server.client
        wait_until(lambda: client.info("clients")["blocked_clients"] >= count, "nobody waits")


def uses(board, token):
    """Return every way to use a board."""
    return {
        "offer": lambda: board.offer([lease(9)]),
        "collect": lambda: board.collect(0.01),
        "reclaim": lambda: board.reclaim(0, 0),
        "take": lambda: board.take(LONG),
        "renew": lambda: board.renew([token]),
        "finish": lambda: board.finish(token, report(1)),
        "give_back": lambda: board.give_back(token, lease(1)),
    }
