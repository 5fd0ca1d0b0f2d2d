"""What only the board on a server must do: several workers, silence, refusals, a server gone."""

import contextlib
import time

import pytest

from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.errors import RunEnded, ServerUnavailable, TrainerLost

from ..redis_servers import wait_until
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
    wait_until_blocked,
)

seats = pytest.fixture(params=ON_SERVERS)(sit_down)


def test_a_run_has_keys_until_its_end(seats):
    assert len(seats.keys_left()) == 3
    seats.trainer.take_down()
    assert seats.keys_left() == []


def test_the_end_of_one_run_is_not_that_of_another(seats):
    other = RedisSeats(seats.server, 3)
    taking = InThread(other.worker().take, LONG)
    wait_until_blocked(other)
    seats.trainer.take_down()
    other.trainer.offer([lease(1)])
    assert taking.result()[1] == lease(1)
    other.close()


def test_only_what_that_generation_of_that_worker_held_is_reclaimed(seats):
    seats.trainer.offer([lease(number) for number in range(4)])
    for place in ((1, 0), (1, 1), (11, 0), (2, 0)):
        seats.worker(*place).take(SOON)
    assert seats.trainer.reclaim(1, 0) == 1
    assert [taken.number for taken in take_all(seats.worker(3))] == [0]


def test_a_lease_that_is_not_renewed_is_taken_over(seats):
    silent = seats.worker(1, lease_seconds=LONG)
    eager = seats.worker(2, lease_seconds=0.5)
    seats.trainer.offer([lease(1)])
    begin = time.monotonic()
    token, _ = silent.take(SOON)
    found = []
    wait_until(lambda: found.append(eager.take(0.02)) or found[-1], "nobody took it over")
    assert time.monotonic() - begin >= 0.49
    assert found[-1] == (token, lease(1))
    assert seats.trainer.reclaim(1, 0) == 0
    # The silent one was not dead: its report comes too, and the trainer counts the number once.
    for worker in (eager, silent):
        worker.finish(token, report(1))
    assert collect(seats.trainer, 2) == [report(1)] * 2
    assert seats.trainer.reclaim(2, 0) == 0


def test_a_lease_that_others_have_done_is_not_given_back(seats):
    """Not even for the moment in which somebody who waits would take it."""
    late, eager, idle = (seats.worker(number, lease_seconds=LONG) for number in (1, 2, 3))
    seats.trainer.offer([lease(1)])
    token, _ = late.take(SOON)
    assert seats.trainer.reclaim(1, 0) == 1
    eager.finish(eager.take(SOON)[0], report(1))
    taking = InThread(idle.take, 0.3)
    wait_until_blocked(seats)
    late.give_back(token, lease(1))
    late.finish(token, report(1), then=lease(2))
    assert taking.result() is None
    assert seats.trainer.count() == 0
    assert collect(seats.trainer, 2) == [report(1)] * 2  # the trainer counts the number once


def test_workers_of_a_trainer_that_fell_silent_are_told(seats):
    worker = seats.worker(1, lease_seconds=0.1)
    trainer = seats.worker(lease_seconds=0.1)
    trainer.offer([lease(1)])
    token, _ = worker.take(SOON)
    began = time.monotonic()
    while time.monotonic() < began + 0.7:  # offering and collecting keep the workers
        trainer.collect(0.02)
        worker.renew([token])
        assert worker.take(0.02) in (None, (token, lease(1)))
    began = time.monotonic()
    with pytest.raises(TrainerLost, match="has not been heard of"):
        while time.monotonic() < began + SOON:
            worker.renew([token])
            time.sleep(0.02)
    assert time.monotonic() - began < 2.0
    worker.finish(token, report(1))  # what was done is not lost
    with pytest.raises(TrainerLost):
        worker.take(0.01)
    trainer.beat()
    assert worker.take(0.01) is None  # a trainer that was only frozen
    assert collect(trainer, 1) == [report(1)]


def test_a_lease_that_is_renewed_is_not_taken_over(seats):
    alive = seats.worker(1, lease_seconds=LONG)
    eager = seats.worker(2, lease_seconds=1.0)
    seats.trainer.offer([lease(1)])
    begin = time.monotonic()
    token, _ = alive.take(SOON)
    while time.monotonic() < begin + 1.3:
        alive.renew([token])
        assert eager.take(0.02) is None
    assert seats.trainer.reclaim(1, 0) == 1


def test_a_lease_whose_reply_was_lost_is_found_again(seats, monkeypatch):
    worker = seats.worker()
    seats.trainer.offer([lease(number) for number in range(4)])
    token, _ = worker.take(SOON)
    wait = worker._wait

    def lose(*command):
        wait(*command)
        raise ServerUnavailable("reset by peer")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(worker, "_wait", lose)
            with pytest.raises(ServerUnavailable):
                worker.take(SOON)
    assert [taken.number for taken in take_all(worker)] == [1, 2, 3]  # at once, and none twice
    worker.finish(token, report(0))
    assert [taken.number for taken in seats.trainer.held(0, 0)] == [1, 2, 3]


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_leases_are_posted_once_though_the_reply_was_lost(seats, monkeypatch, is_done):
    transaction = RedisBoard._transaction

    def lose(board, packed):
        if is_done:
            transaction(board, packed)
        raise ServerUnavailable("the reply is lost")

    leases = [lease(number) for number in range(4)]
    seats.trainer.offer(leases[:1])
    with monkeypatch.context() as patch, pytest.raises(ServerUnavailable):
        patch.setattr(RedisBoard, "_transaction", lose)
        seats.trainer.offer(leases[1:3])
    seats.trainer.offer(leases[1:])  # what was lost and more, as the trainer does
    assert [taken.number for taken in take_all(seats.worker())] == [0, 1, 2, 3]
    seats.trainer.offer(leases[1:3])  # meant to be posted once more
    assert [taken.number for taken in take_all(seats.worker())] == [1, 2]


def test_reports_survive_lost_connections(seats):
    """Also those that are in hand while so many that were read before are deleted."""
    worker, collected = seats.worker(1), []
    for number in range(100):
        seats.trainer.offer([lease(number)])
        worker.finish(worker.take(SOON)[0], report(number))
    seats.server.client.client_kill_filter(skipme=True, _type="normal")
    for _ in range(3):  # each of the trainer's two connections notices its own loss
        with contextlib.suppress(ServerUnavailable):
            collected += seats.trainer.collect(0.01)
    assert collected == [report(number) for number in range(100)]


def test_nothing_is_offered_once_the_board_is_down(seats):
    seats.trainer.take_down()
    with pytest.raises(RunEnded):
        seats.trainer.offer([lease(1)])
    assert seats.keys_left() == []


def test_a_lease_finished_while_one_looks_for_lost_ones_is_not_done_again(seats, monkeypatch):
    worker = seats.worker()
    seats.trainer.offer([lease(0)])
    token, _ = worker.take(SOON)
    wait = worker._wait

    def finish_meanwhile(*command):
        reply = wait(*command)
        if command[-1] == b"0":  # what this worker holds
            worker.finish(token, report(0))  # by another thread
        return reply

    def lose(*command):
        raise ServerUnavailable("reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_wait", lose)
        with pytest.raises(ServerUnavailable):
            worker.take(SOON)
    monkeypatch.setattr(worker, "_wait", finish_meanwhile)
    assert worker.take(0.1) is None


def test_the_trainer_sees_who_is_silent_and_what_they_hold(seats):
    seats.trainer.offer([lease(number) for number in range(3)])
    assert seats.trainer.silence() == {} and seats.trainer.count() == 3
    silent, alive = seats.worker(1, 2), seats.worker(3)
    silent.take(SOON)
    token, _ = alive.take(SOON)
    begin = time.monotonic()
    while time.monotonic() < begin + 0.5:
        alive.renew([token])
    silence = seats.trainer.silence()
    assert silence.keys() == {(1, 2), (3, 0)}
    assert silence[3, 0] < 0.4 < silence[1, 2] < SOON
    assert seats.trainer.held(1, 2) == [lease(0)] and seats.trainer.held(1, 1) == []
    alive.finish(token, report(1))
    assert seats.trainer.count() == 2
    seats.trainer.check()
    seats.server.client.delete(seats.keys.reports)
    with pytest.raises(RunEnded):
        seats.trainer.check()
    seats.trainer.take_down()
    for use in (seats.trainer.silence, lambda: seats.trainer.held(1, 2)):
        with pytest.raises(RunEnded):
            use()


def test_finished_leases_take_no_memory(seats):
    """Neither in the stream nor in the list of what workers hold."""
    worker = seats.worker()
    seats.trainer.offer([lease(number) for number in range(3)])
    for number in range(3):
        worker.finish(worker.take(SOON)[0], report(number))
    client = seats.server.client
    assert client.xlen(seats.keys.leases) == 0
    (group,) = client.xinfo_groups(seats.keys.leases)
    assert group["pending"] == 0


# --- a job that is delivered twice ----------------------------------------------------------


def test_only_the_first_of_one_place_and_generation_joins(seats):
    first, second = seats.worker(1, 0), seats.worker(1, 0)
    assert first.join() and not second.join()
    assert seats.worker(1, 1).join() and seats.worker(2, 0).join()
    seats.trainer.offer([lease(1)])
    assert take_all(first) == [lease(1)]


def test_nobody_joins_a_board_that_is_down(seats):
    worker = seats.worker()
    seats.trainer.take_down()
    with pytest.raises(RunEnded):
        worker.join()


def test_a_board_put_up_again_is_empty(seats):
    """A trainer that was killed has left it; another goes on with its run."""
    seats.trainer.offer([lease(1)])
    assert seats.worker(1, 0).join()
    seats.trainer.put_up()
    assert seats.trainer.count() == 0 and seats.worker(1, 0).join()
