"""Fits on eight workers, disturbed at random: all end with the loss of an undisturbed one.

What is random is seeded. ``CIRRUS_TEST_CHAOS=20 pytest tests/lambda_/test_chaos.py`` goes through
twenty seeds of each kind in place of one, and through all kinds at the same time.
"""

import contextlib
import os
import random
import threading
import time

import numpy as np
import pytest
import redis

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.emulator import FaultPlan
from sklearn_cirrus.workers.aws_lambda_function import LambdaFunction, Lost, Unavailable

from ..faults.conftest import held_out_loss, labelled
from .conftest import PARAMETERS, SETTINGS, at_random, meanwhile

SEEDS = range(int(os.environ.get("CIRRUS_TEST_CHAOS", "1")))
campaign = pytest.mark.skipif(len(SEEDS) < 2, reason="CIRRUS_TEST_CHAOS is not set")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(120),
]


@contextlib.contextmanager
def killed(world, seed):
    """Kill one or two workers at a time, once some have reported something since the last time.

    However slow the machine is: four deaths in a row without a report rightly end a fit.
    """

    def kill(draw):
        if not world.has_gone_on():
            return
        busy = [slot for slot in world.emulator.slots() if slot.state == "busy"]
        for slot in draw.sample(busy, min(len(busy), draw.randint(1, 2))):
            with contextlib.suppress(LookupError):
                world.emulator.kill(slot.number)
                world.deeds += 1

    with meanwhile(at_random(seed, kill, 0.4, 0.8)):
        yield


@contextlib.contextmanager
def frozen(world, seed):
    """Freeze half of the workers, for longer than their lease."""
    world.emulator.faults.plan = FaultPlan(
        seed, freeze=0.5, freeze_after_seconds=(0.2, 0.8), freeze_seconds=(3.0, 4.0)
    )
    yield


@contextlib.contextmanager
def delivered_twice(world, seed):
    """Send half of the requests twice, a moment apart, and take the first answer or the second."""
    draw, invoke, copies = random.Random(seed), LambdaFunction.invoke, []

    def invoke_twice(function, event):
        if draw.random() < 0.5:
            return invoke(function, event)
        answers = []

        def again():
            world.pause(draw.uniform(0, 0.05))
            with contextlib.suppress(Unavailable, Lost):
                answers.append(invoke(function, event))

        copy = threading.Thread(target=again)  # other threads append theirs
        copies.append(copy)
        copy.start()
        first = invoke(function, event)
        if draw.random() < 0.5:
            return first
        copy.join(30)
        return (answers or [first])[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LambdaFunction, "invoke", invoke_twice)
        yield
    for copy in copies:
        copy.join(30)
    world.deeds += len(copies)


@contextlib.contextmanager
def throttled(world, seed):
    """Refuse most requests: too many, or an error of the service."""
    world.emulator.faults.plan = FaultPlan(seed, throttle=0.5, fail=0.2)
    yield


@contextlib.contextmanager
def server_restarted(world, seed):
    """Kill the server and start an empty one in its place."""

    def restart(draw):
        begun = any(slot.state == "busy" for slot in world.emulator.slots())
        if begun and world.deeds < 2:
            world.deeds += 1
            world.server.restart(draw.uniform(0.0, 0.3))

    with meanwhile(at_random(seed, restart, 0.5, 1.5)):
        yield


@contextlib.contextmanager
def faulty_store(world, seed):
    """S3 answers a request in sixteen with 500 or 503, and one in six slowly."""
    with world.s3.faults(seed, refuse=1 / 20, delay=1 / 6, seconds=0.2):
        yield
    world.deeds += min(world.s3.refused, world.s3.delayed)


KINDS = [killed, frozen, delivered_twice, throttled, server_restarted, faulty_store]


class World:
    """What can be disturbed; ``deeds`` counts how often it was."""

    def __init__(self, emulator, server, s3):
        self.emulator, self.server, self.s3 = emulator, server, s3
        self.deeds = 0
        self._never = threading.Event()
        self._reports = None

    def pause(self, seconds):
        self._never.wait(seconds)

    def has_gone_on(self):
        """Return whether reports have come since the last call (or the server is a new one)."""
        before, client = self._reports, self.server.client
        try:
            keys = client.keys("cirrus:*:metrics")
            self._reports = [client.xinfo_stream(key)["last-generated-id"] for key in keys]
        except redis.exceptions.RedisError:  # it is down, or the run has just ended
            return False
        return self._reports not in ([], before)


@pytest.fixture
def world(emulator, server, s3):
    return World(emulator, server, s3)


def check(model, undisturbed):
    """Fail unless a fit has learnt all that it should."""
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert model.n_iter_ == PARAMETERS["max_iter"]
    told = [
        (entry["learning_rate"], entry["objective"], entry["workers_replaced"])
        for entry in model.history_
    ]
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01), told


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_disturbed_fit(fit, world, undisturbed, kind, seed):
    # Without checkpoints where they would only take the faults away from the blocks.
    seconds = None if kind is faulty_store else SETTINGS["checkpoint_seconds"]
    with kind(world, seed):
        model = fit(checkpoint_seconds=seconds)
    check(model, undisturbed)
    if kind is killed:
        assert sum(entry["workers_replaced"] for entry in model.history_) >= 1
    elif kind is server_restarted:
        assert sum(entry["server_restarts"] for entry in model.history_) >= 1
    elif kind not in (throttled, frozen):  # these are drawn by the emulator
        assert world.deeds >= 1


@campaign
@pytest.mark.parametrize("seed", SEEDS)
def test_frozen_workers_at_the_rate_that_is_chosen(fit, world, undisturbed_auto, seed):
    """It is fifty times that of the other tests, and falls to zero in the last epochs.

    So what a worker that thaws still does of an earlier epoch would be seen.
    """
    with frozen(world, seed):
        model = fit({"learning_rate": "auto"})
    check(model, undisturbed_auto)


@pytest.mark.parametrize("seed", SEEDS)
def test_lbfgs_is_exact_all_the_same(fit, world, seed):
    X, y = labelled()
    parameters = {
        "solver": "lbfgs",
        "max_iter": 40,
        "tol": 1e-10,
        "batch_size": "auto",
        "learning_rate": "auto",
    }
    exact = CirrusLogisticRegression(**PARAMETERS | parameters, backend="inline").fit(X, y)
    with killed(world, seed), throttled(world, seed):
        model = fit(parameters)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=1e-6, atol=1e-6)


@campaign
@pytest.mark.parametrize("seed", SEEDS)
def test_all_at_the_same_time(fit, world, undisturbed, seed):
    with contextlib.ExitStack() as stack:
        for kind in (killed, delivered_twice, server_restarted, faulty_store):
            stack.enter_context(kind(world, seed))
        world.emulator.faults.plan = FaultPlan(
            seed, throttle=0.2, fail=0.1, freeze=0.1, freeze_seconds=(2.0, 4.0)
        )
        begin = time.monotonic()
        model = fit(lease_seconds=2.0)
    check(model, undisturbed)
    assert time.monotonic() - begin < 100
