"""The contract of a board, over the one in process and the one on each server and protocol."""

import contextlib
import itertools
import threading
import time
from dataclasses import replace

import pytest

from cirrus_runtime.errors import RunEnded

from .seats import (
    LONG,
    ON_SERVERS,
    SOON,
    InThread,
    RedisSeats,
    collect,
    lease,
    report,
    sit_down,
    take_all,
    uses,
    wait_until_blocked,
)

seats = pytest.fixture(params=["inline", *ON_SERVERS])(sit_down)


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


def test_a_long_run_leaves_few_reports(seats):
    worker = seats.worker(1)
    for number in range(200):
        seats.trainer.offer([lease(number)])
        worker.finish(worker.take(SOON)[0], report(number))
        assert collect(seats.trainer, 1) == [report(number)]
    if isinstance(seats, RedisSeats):
        assert seats.server.client.xlen(seats.keys.reports) < 64


def test_a_lease_may_follow_and_several_reports_tell_of_the_one_before(seats):
    worker = seats.worker(1)
    seats.trainer.offer([lease(1)])
    token, _ = worker.take(SOON)
    worker.finish(token, report(1), report(2), then=replace(lease(3), course={"schedule": [0.5]}))
    assert collect(seats.trainer, 2) == [report(1), report(2)]
    assert seats.trainer.count() == 1
    token, taken = worker.take(SOON)
    assert taken == replace(lease(3), course={"schedule": [0.5]})
    worker.finish(token, report(3))
    assert seats.trainer.count() == 0


@pytest.mark.parametrize("how", ["finish", "give_back"])
def test_nothing_follows_a_lease_that_another_worker_has_taken_over(seats, how):
    slow = seats.worker(1)
    seats.trainer.offer([lease(1)])
    token, taken = slow.take(SOON)
    assert seats.trainer.reclaim(1, 0) == 1
    if how == "finish":
        slow.finish(token, report(1), then=lease(2))
        assert seats.trainer.collect(SOON) == [report(1)]
    else:
        slow.give_back(token, taken)
    assert take_all(seats.worker(1, 1)) == [lease(1)]


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


def test_the_end_wakes_those_that_wait_for_leases(seats):
    taking = [InThread(seats.worker(number).take, LONG) for number in range(3)]
    wait_until_blocked(seats, 3)
    seats.trainer.take_down()
    for thread in taking:
        with pytest.raises(RunEnded):
            thread.result()
