"""Workers are killed and frozen in the middle of a fit: it completes, with the same model."""

import contextlib
import signal
import threading

import numpy as np
import pytest

from cirrus_runtime.board_redis import RedisBoard
from cirrus_runtime.engines.connection import pack
from sklearn_cirrus._crew import Crew
from sklearn_cirrus.exceptions import RunEnded, ServerError, WorkerError
from sklearn_cirrus.workers.local import LocalBackend

from ..redis_servers import wait_until
from .conftest import held_out_loss

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]


def replaced(model):
    return sum(entry["workers_replaced"] for entry in model.history_)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_worker_is_replaced(disturbed, undisturbed, seed):
    rng = np.random.default_rng(seed)

    def kill_some(fit):
        for epoch in (1, 8, 15):
            fit.epochs(epoch)
            fit.pause(rng.uniform(0, 0.02))
            fit.hit(workers=[rng.integers(2)])

    model = disturbed.fit(kill_some)
    assert replaced(model) == disturbed.deeds >= 2
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert {entry["rows"] for entry in model.history_} == {6000}


@pytest.mark.parametrize(
    ("workers", "seed"), [([0], 0), ([1], 1), ([0, 1], 2)], ids=["first", "second", "all"]
)
def test_a_frozen_worker_is_replaced(disturbed, undisturbed, workers, seed):
    rng = np.random.default_rng(seed)

    def freeze(fit):
        fit.epochs(1)
        fit.pause(rng.uniform(0, 0.02))
        fit.hit(signal.SIGSTOP, workers)

    model = disturbed.fit(freeze, {"max_iter": 60}, lease_seconds=0.5)
    assert replaced(model) >= disturbed.deeds == len(workers)
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)


def test_a_trainer_that_was_frozen(disturbed, undisturbed, monkeypatch):
    """Its workers have ended meanwhile (those of another machine would): it starts new ones."""
    collect, ended = RedisBoard.collect, threading.Event()

    def collect_late(board, timeout):
        handles = list(disturbed.run.crew._handles.values())
        if len(disturbed.run.history) == 3 and not ended.is_set():
            wait_until(lambda: all(handle.poll() for handle in handles), "workers go on", 20)
            assert {handle.poll().report["reason"] for handle in handles} == {"abandoned"}
            ended.set()
        return collect(board, timeout)

    monkeypatch.setattr(RedisBoard, "collect", collect_late)
    model = disturbed.fit(lambda fit: None, lease_seconds=0.4)
    assert ended.is_set() and replaced(model) == 2
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)


def test_a_block_that_no_worker_survives(disturbed):
    def kill_who_takes_it(fit):
        fit.epochs(1)
        name = fit.run.keys.block("train", 3)
        board = fit.run.place.board
        with contextlib.suppress(RunEnded):
            while fit.pause(0.0005):
                for worker, handle in list(fit.run.crew._handles.items()):
                    held = board.held(worker, handle.job["generation"])
                    if any(lease.name == name for lease in held):
                        fit.hit(workers=[worker])

    with pytest.raises(WorkerError, match=r"died 4 times in a row on the block .*train-000003"):
        disturbed.fit(kill_who_takes_it, {"max_iter": 1000})
    assert disturbed.deeds >= 4


def test_a_block_on_which_workers_freeze(disturbed, undisturbed):
    """Four in a row: more than may die there, and fewer than are no accident."""

    def freeze_who_takes_it(fit):
        fit.epochs(1)
        name = fit.run.keys.block("train", 3)
        board, frozen = fit.run.place.board, set()
        with contextlib.suppress(RunEnded):
            while len(frozen) < 4 and fit.pause(0.0005):
                for worker, handle in list(fit.run.crew._handles.items()):
                    held = board.held(worker, handle.job["generation"])
                    if handle not in frozen and any(lease.name == name for lease in held):
                        frozen.add(handle)
                        fit.hit(signal.SIGSTOP, workers=[worker])

    model = disturbed.fit(freeze_who_takes_it, {"max_iter": 60}, lease_seconds=0.4)
    assert replaced(model) >= 4
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)


def test_workers_that_freeze_for_ever():
    """Ten in a row on one block are no accident, nor are three of them and three deaths."""

    def end(crew, silent, place):
        crew._blame(place, ["block"], silent, "the last words")

    crew = Crew(None, None, None, 99)
    for place in range(9):
        end(crew, True, place)
    with pytest.raises(WorkerError, match="died or froze 10 times in a row on the block block; at"):
        end(crew, True, 10)
    crew = Crew(None, None, None, 99)
    for place, silent in enumerate([True, False, False]):
        end(crew, silent, place)
    with pytest.raises(WorkerError, match="froze 4 times in a row on the block .*: the last words"):
        end(crew, False, 4)


def test_all_blocks_that_may_have_killed_workers_are_named():
    """One that is trained on, and one that lies ready: each worker held both."""
    crew = Crew(None, None, None, 99)
    crew._blame(0, ["other"], False, "the last words")
    for place in range(1, 4):
        crew._blame(place, ["one", "two"], False, "the last words")
    with pytest.raises(
        WorkerError, match="^workers died 4 times in a row on the block one or on the block two; at"
    ):
        crew._blame(4, ["one", "two", "other"], False, "the last words")


def test_workers_that_never_get_anywhere(disturbed):
    def kill_all(fit):
        fit.epochs(1)
        while fit.pause(0.001):
            fit.hit()

    with pytest.raises(WorkerError, match="died 4 times in a row"):
        disturbed.fit(kill_all, {"max_iter": 1000})


@pytest.mark.parametrize("how", ["FLUSHALL", "model", "leases", "reports"])
def test_keys_that_vanish(disturbed, how):
    def delete(fit):
        fit.epochs(2)
        held = fit.run.place.engine._held
        if how == "FLUSHALL":
            held.call(pack(b"FLUSHALL"))
        else:
            held.call(pack(b"DEL", getattr(fit.run.keys, how).encode()))

    with pytest.raises(ServerError, match="vanished from the server.*noeviction"):
        disturbed.fit(delete, {"max_iter": 1000})


def test_a_place_stays_vacant_while_other_fits_use_all_processes(
    disturbed, undisturbed, monkeypatch
):
    """The trainer looks after the others meanwhile, and does not wait."""
    start, refused = LocalBackend.start, []

    def refuse_at_first(backend, jobs, timeout=None):
        if timeout == 0.0 and len(refused) < 3:
            refused.append(jobs)
            raise WorkerError("no worker process became free")
        return start(backend, jobs, timeout)

    monkeypatch.setattr(LocalBackend, "start", refuse_at_first)

    def kill_one(fit):
        fit.epochs(2)
        fit.hit(workers=[1])
        begin = len(fit.run.history)
        fit.epochs(begin + 2)

    model = disturbed.fit(kill_one)
    assert replaced(model) == 1 and len(refused) == 3
    assert model.history_[-1]["workers"] == 2
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
