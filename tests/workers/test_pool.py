"""The pool itself: its cap, its waiting, and what it ends by itself."""

import logging
import os
import threading
import time

import pytest

from sklearn_cirrus._lifeline import Lifeline
from sklearn_cirrus.exceptions import WorkerError
from sklearn_cirrus.workers import LocalBackend
from sklearn_cirrus.workers.local import shared_pool
from sklearn_cirrus.workers.local_process import LocalProcess


def is_gone(pid):
    """Whether the process has ended and has been waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_acquire_gives_at_least_one_and_at_most_the_cap(pool):
    cap = max(os.cpu_count(), 3)
    first = pool.acquire(3)
    assert len(first) == 3
    rest = []
    while len(first) + len(rest) < cap:
        rest += pool.acquire(1)
    with pytest.raises(WorkerError, match=f"within 0.05 s: other fits .* use all {cap}"):
        pool.acquire(1, timeout=0.05)
    pool.release(first.pop())
    (taken,) = pool.acquire(3, timeout=5)
    for process in [taken, *first, *rest]:
        pool.release(process)


def test_who_waits_gets_the_process_that_comes_back(pool, wait_until):
    held = pool.acquire(max(os.cpu_count(), 2))
    got = []
    waiting = threading.Thread(target=lambda: got.extend(pool.acquire(2, timeout=30)))
    waiting.start()
    assert not got
    pool.release(held[0])
    waiting.join(10)
    assert got == [held[0]]
    for process in held:
        pool.release(process)


def test_who_waits_gets_a_new_process_when_one_dies(pool):
    held = pool.acquire(max(os.cpu_count(), 2))
    got = []
    waiting = threading.Thread(target=lambda: got.extend(pool.acquire(1, timeout=30)))
    waiting.start()
    held[0].kill()
    waiting.join(10)
    assert len(got) == 1 and got[0] not in held
    for process in [*held[1:], *got]:
        pool.release(process)


def test_who_waits_longest_is_served_first(pool, wait_until):
    held = pool.acquire(max(os.cpu_count(), 2))
    served = []

    def wait(number):
        (process,) = pool.acquire(1, timeout=30)
        served.append(number)
        pool.release(process)

    waiting = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
    for number, thread in enumerate(waiting):
        thread.start()
        wait_until(lambda n=number: len(pool._turns) == n + 1, "it waits")
    with pytest.raises(WorkerError, match="within 0 s"):
        pool.acquire(1, timeout=0.0)
    pool.release(held.pop())
    for thread in waiting:
        thread.join(30)
    assert served == [0, 1, 2, 3] and not pool._turns
    for process in held:
        pool.release(process)


def test_a_wait_lasts_as_long_as_the_jobs_of_other_threads(pool, wait_until, tmp_path, monkeypatch):
    waits = {"do": "wait_for", "marker": str(tmp_path / "begun"), "file": str(tmp_path / "go")}
    backend = LocalBackend(pool)
    handles = backend.start([waits] * max(os.cpu_count(), 2))
    with pytest.raises(WorkerError, match="within 0.02 s"):  # nobody else would end them
        pool.acquire(1, timeout=0.02)
    looks, got, look = [], [], pool._others_work
    monkeypatch.setattr(pool, "_others_work", lambda: looks.append(look()) or looks[-1])
    other = threading.Thread(target=lambda: got.extend(pool.acquire(1, timeout=0.02)))
    other.start()
    wait_until(lambda: len(looks) >= 3, "the time is over again and again")
    assert not got and all(looks)
    (tmp_path / "go").touch()
    other.join(30)
    assert got[0].pid in [handle.pid for handle in handles]
    pool.release(got[0])
    backend.close()


def test_a_process_that_dies_idle_is_not_given_out(pool, wait_until):
    (process,) = pool.acquire(1)
    pool.release(process)
    process.kill()
    wait_until(lambda: process not in pool._all, "the dead process has left the pool")
    assert is_gone(process.pid)
    (handle,) = LocalBackend(pool).start([{"do": "echo"}])
    assert handle.wait(30).ok


def test_a_process_that_dies_between_acquire_and_run_fails_the_job(pool, wait_until):
    (process,) = pool.acquire(1)
    process.kill()
    wait_until(lambda: process not in pool._all, "the dead process has left the pool")
    handle = pool.run(process, {"do": "echo"}, b'{"do": "echo"}\n')
    assert handle.poll().exit_code == -9


def test_a_process_that_is_buried_before_its_job_is_sent_fails_the_job(
    pool, wait_until, monkeypatch
):
    """Between the pool's look at it and the job, its pipes are closed, and others opened."""
    (process,) = pool.acquire(1)
    sent, send = [], LocalProcess.send

    def bury_first(process, line):
        process.kill()
        wait_until(lambda: process not in pool._all, "the dead process has left the pool")
        others = [Lifeline() for _ in range(8)]  # one of them has its number now
        send(process, line)
        for other in others:
            other.close()
            with open(other.read_end, "rb") as read_end:
                sent.append(read_end.read())

    monkeypatch.setattr(LocalProcess, "send", bury_first)
    handle = pool.run(process, {"do": "echo"}, b'{"do": "echo"}\n')
    assert handle.wait(30).exit_code == -9
    assert sent == [b""] * 8


def test_a_child_that_does_not_read_is_waited_for_and_given_up(wait_until):
    lifeline, got = Lifeline(), []
    with open(lifeline.read_end, "rb") as read_end:
        with pytest.raises(TimeoutError, match="has not read"):
            lifeline.write(b"x" * (1 << 20), timeout=0.2)
        reader = threading.Thread(target=lambda: got.append(read_end.read()))
        reader.start()
        lifeline.write(b"y" * (1 << 20), timeout=30)
        lifeline.close()
        reader.join(30)
    assert got[0].strip(b"x") == b"y" * (1 << 20)
    with pytest.raises(BrokenPipeError, match="is closed"):
        lifeline.write(b"z")


def test_idle_processes_end_after_a_while_and_the_listener_sleeps(make_pool, wait_until):
    pool = make_pool(idle_timeout=0.3)
    (handle,) = LocalBackend(pool).start([{"do": "echo"}])
    assert handle.wait(30).ok
    since = time.monotonic()
    wait_until(lambda: is_gone(handle.pid), "the idle process has ended")
    assert time.monotonic() - since > 0.2
    assert not pool._all
    before = time.process_time()
    threading.Event().wait(0.3)
    assert time.process_time() - before < 0.1
    (again,) = LocalBackend(pool).start([{"do": "echo"}])
    assert again.wait(30).ok


def test_a_busy_process_does_not_count_as_idle(make_pool, tmp_path):
    pool = make_pool(idle_timeout=0.05)
    job = {"do": "wait_for", "marker": str(tmp_path / "m"), "file": str(tmp_path / "go")}
    (handle,) = LocalBackend(pool).start([job])
    assert handle.wait(0.5) is None
    (tmp_path / "go").touch()
    assert handle.wait(30).ok


def test_a_process_that_has_grown_is_replaced(make_pool, wait_until):
    pool = make_pool(rss_limit=200 << 20)
    backend = LocalBackend(pool)
    (small,) = backend.start([{"do": "allocate", "bytes": 20 << 20}])
    assert small.wait(30).ok
    (big,) = backend.start([{"do": "allocate", "bytes": 250 << 20}])
    assert big.wait(30).ok  # its result counts
    assert big.pid == small.pid
    (next_one,) = backend.start([{"do": "echo"}])
    assert next_one.wait(30).report["pid"] != big.pid
    wait_until(lambda: is_gone(big.pid), "the big process has ended")


def test_close_ends_everything_and_says_so_to_who_comes_late(pool, tmp_path, wait_until):
    backend = LocalBackend(pool)
    (busy,) = backend.start([{"do": "wait", "marker": str(tmp_path / "m")}])
    wait_until((tmp_path / "m").exists, "the job runs")
    idle = pool.acquire(1)
    pool.release(idle[0])
    threads = threading.active_count()
    pool.close()
    pool.close()
    assert is_gone(busy.pid) and is_gone(idle[0].pid)
    assert not busy.wait(5).ok
    assert threading.active_count() == threads - 1
    with pytest.raises(WorkerError, match="closed"):
        backend.start([{"do": "echo"}])


def test_the_shared_pool_is_one_and_is_made_anew_after_close():
    pool = shared_pool()
    assert shared_pool() is pool
    pool.close()
    assert shared_pool() is not pool
    shared_pool().close()


def test_a_worker_that_breaks_the_protocol_is_ended(pool, wait_until, caplog):
    caplog.set_level(logging.WARNING)
    (process,) = pool.acquire(1)
    process.send(b'{"do": "echo"}\n')  # behind the back of the pool: an answer nobody asked for
    wait_until(lambda: process not in pool._all, "the process is gone")
    assert "without having been asked" in caplog.text
