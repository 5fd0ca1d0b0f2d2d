"""How workers end: with the run, before their deadline, for a successor, or by an error."""

import re
import threading
import time

import numpy as np
import pytest

from cirrus_runtime.errors import CirrusError, RunEnded, ServerError, ServerUnavailable
from cirrus_runtime.protocol import Lease
from cirrus_runtime.server import InlineEngine, ModelSpec, ModuleEngine
from cirrus_runtime.worker import run_worker

from .logistic_oracle import random_block
from .worker_run import SOON, D


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_the_end_of_the_run_ends_a_worker_that_waits(run, random, prefetch):
    """At once: it is not the end of a wait that it notices it by."""
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(random_block(random, 20, D, 1)), 0.1, 0.1)])
    result = run.start(prefetch=prefetch)
    run.collect(1)
    begin = time.monotonic()
    run.end()
    assert result.result(SOON) == {"reason": "ended", "rows": 20, "updates": 2}
    assert time.monotonic() - begin < 0.8
    assert not [thread for thread in threading.enumerate() if thread.name == "cirrus-prefetch"]


class SlowEngine(InlineEngine):
    """Does something before each step, as if the server were slow."""

    def __init__(self, before_step):
        super().__init__()
        self.steps, self._before = 0, before_step

    def step(self, *arguments):
        self.steps += 1
        self._before(self.steps)
        return super().step(*arguments)


def slow_run(run, before_step, block):
    """Let the engine of an inline run be slow, and offer two leases on a block."""
    run.engine = run._resources.engine = run.model.engine = SlowEngine(before_step)
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    (name,) = run.put(block)
    run.board.offer([Lease(number, "train", number, 0, name, 0.1, 0.1) for number in (0, 1)])


def test_a_model_that_is_dropped_ends_a_worker_that_computes(inline_run, random):
    run = inline_run
    slow_run(run, lambda step: step == 3 and run.model.drop(), random_block(random, 160, D, 1))
    assert run.start().result(SOON) == {"reason": "ended", "rows": 0, "updates": 0}
    assert run.engine.steps == 3
    assert run.leases_left() == [0, 1]


def test_a_worker_stops_before_its_deadline(run, random):
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    (name,) = run.put(random_block(random, 20, D, 1))
    run.board.offer([Lease(number, "train", 0, 0, name, 0.1, 0.1) for number in range(3)])
    deadline = time.time() + 1.5  # too late to begin something
    assert run.start(deadline=deadline).result(SOON)["reason"] == "deadline"
    assert time.time() < deadline
    assert run.leases_left() == [0, 1, 2]
    assert run.model.info()["steps"] == 0


def test_a_deadline_while_it_waits(run):
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    deadline = time.time() + 2.5
    result = run.start(deadline=deadline).result(SOON)
    assert result == {"reason": "deadline", "rows": 0, "updates": 0}
    assert time.time() < deadline


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_a_deadline_in_the_middle_of_a_block(inline_run, random, prefetch):
    """Who is cut off by force instead would not give the block back."""
    run, deadline = inline_run, time.time() + 2.3
    never = threading.Event()
    slow_run(
        run,
        lambda step: step == 3 and never.wait(deadline - 0.95 - time.time()),
        random_block(random, 320, D, 1),
    )
    result = run.start(deadline=deadline, prefetch=prefetch).result(SOON)
    assert result == {"reason": "deadline", "rows": 0, "updates": 0}
    assert run.engine.steps == 3
    assert run.leases_left() == [0, 1]


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_the_silence_of_the_trainer_ends_a_worker(redis_run, random, prefetch):
    run = redis_run
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(random_block(random, 20, D, 1)), 0.1, 0.1)])
    result = run.start(prefetch=prefetch, lease_seconds=0.1)
    assert result.result(SOON) == {"reason": "abandoned", "rows": 20, "updates": 2}
    assert [report.rows for report in run.board.collect(SOON)] == [20]
    assert not [thread for thread in threading.enumerate() if thread.name == "cirrus-prefetch"]


def test_a_worker_that_begins_while_connections_are_lost_begins_once_more(
    redis_run, random, monkeypatch
):
    run, is_there, lost = redis_run, ModuleEngine.is_there, []

    def lose(engine):
        if len(lost) < 2:
            lost.append(engine)
            raise ServerUnavailable("reset by peer")
        return is_there(engine)

    monkeypatch.setattr(ModuleEngine, "is_there", lose)
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(random_block(random, 20, D, 1)), 0.1, 0.1)])
    run.start()
    assert [report.rows for report in run.collect(1)] == [20]
    assert len(lost) == 2


@pytest.mark.parametrize("prefetch", [False, True], ids=["direct", "ahead"])
def test_a_worker_makes_way_for_its_successor(redis_run, random, prefetch):
    run = redis_run
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.model.fence(5, 1)
    (name,) = run.put(random_block(random, 100, D, 1))
    run.board.offer([Lease(0, "train", 0, 0, name, 0.1, 0.1)])
    result = run.start(worker=5, generation=0, prefetch=prefetch)
    assert result.result(SOON) == {"reason": "stale", "rows": 0, "updates": 0}
    assert run.model.info()["steps"] == 0
    run.start(worker=5, generation=2)  # the lease is there for who comes next
    (report,) = run.collect(1)
    assert (report.number, report.generation, report.updates) == (0, 2, 7)


def test_leases_are_renewed_in_the_middle_of_a_block(inline_run, random):
    run, renewals = inline_run, []
    run.board.renew = lambda tokens: renewals.append((run.engine.steps, sorted(tokens)))
    slow_run(run, lambda step: threading.Event().wait(0.02), random_block(random, 160, D, 1))
    run.start(lease_seconds=0.03, prefetch=True)
    run.collect(2)
    first = [tokens for steps, tokens in renewals if 1 < steps < 9]
    assert len(first) >= 5
    assert first[-1] == [0, 1]  # the one that is ready too


# --- what goes wrong ----------------------------------------------------------------------


def test_a_bad_block_is_reported_and_the_worker_goes_on(run, random):
    good, foreign = random_block(random, 20, D, 1), random_block(random, 20, D, 4)
    names = run.put(good, good, foreign)
    run.store.put(names[1], b"not a block")
    names.insert(2, "absent")
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer(
        [Lease(number, "train", 0, number, names[number], 0.1, 0.1) for number in (1, 2, 3, 0)]
    )
    result = run.start()
    *bad, last = run.collect(4)
    errors = ["BlockError: .*not a block|BlockError: .*truncated", "StoreError: ", "BlockError: "]
    for report, number, error, name in zip(bad, (1, 2, 3), errors, names[1:], strict=True):
        assert report.number == number
        assert re.match(error, report.error)
        assert name in report.error
        assert (report.rows, report.updates, report.loss) == (0, 0, 0)
    assert "label beyond the 2 classes" in bad[2].error
    assert (last.number, last.error, last.rows, last.updates) == (0, "", 20, 2)
    run.end()
    assert result.result(SOON) == {"reason": "ended", "rows": 20, "updates": 2}


def test_a_model_that_diverges_stops_the_worker_with_the_reason(run, random):
    block = random_block(random, 40, D, 1)
    block.data[:] = np.inf
    run.model.create(ModelSpec(D + 1, 1, "sgd"))
    run.board.offer([Lease(0, "train", 0, 0, *run.put(block), 0.1, 0.1)])
    with pytest.raises(ServerError, match="^BADVALUE") as caught:
        run.start().result(SOON)
    assert not isinstance(caught.value, RunEnded)
    assert run.leases_left() == [0]
    assert not [thread for thread in threading.enumerate() if thread.name == "cirrus-prefetch"]


def test_a_server_that_is_not_there(inline_run, tmp_path):
    job = inline_run.job() | {
        "redis_url": f"unix://{tmp_path}/no.sock", "engine": "module",
        "store_url": tmp_path.as_uri(),
    }  # fmt: skip
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        run_worker(job)
    assert not isinstance(caught.value, RunEnded)


def test_a_run_that_is_over_already(redis_run):
    redis_run.end()
    result = redis_run.start().result(SOON)
    assert result == {"reason": "ended", "rows": 0, "updates": 0}
    assert redis_run._server.client.keys(f"*{redis_run.keys.run_id}}}*") == []


def test_a_job_of_another_version_is_refused(inline_run):
    with pytest.raises(CirrusError, match="install the same sklearn-cirrus on both sides"):
        run_worker(inline_run.job() | {"version": 0}, inline_run._resources)
