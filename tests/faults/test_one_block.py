"""Faults of a fit on one block, whose worker goes from epoch to epoch by itself."""

import os
import signal

import numpy as np
import pytest

from sklearn_cirrus.servers import shared_server

from ..redis_servers import wait_until
from .conftest import held_out_loss

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]

ONE_BLOCK = {"block_bytes": 8 << 20}
EPOCHS = list(range(1, 31))


def assert_as_good(model, undisturbed):
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert [entry["epoch"] for entry in model.history_] == EPOCHS
    assert {(entry["rows"], entry["workers"]) for entry in model.history_} == {(6000, 1)}


@pytest.mark.parametrize(
    ("kind", "epochs", "lease_seconds"),
    [(signal.SIGKILL, (1, 9, 17), 2.0), (signal.SIGSTOP, (5,), 0.5)],
)
def test_the_worker_is_replaced(disturbed, undisturbed, kind, epochs, lease_seconds):
    rng = np.random.default_rng(0)

    def hit(fit):
        for epoch in epochs:
            fit.epochs(epoch)
            fit.pause(rng.uniform(0, 0.02))
            fit.hit(kind)

    model = disturbed.fit(hit, lease_seconds=lease_seconds, **ONE_BLOCK)
    replaced = sum(entry["workers_replaced"] for entry in model.history_)
    assert replaced >= disturbed.deeds == len(epochs)
    assert_as_good(model, undisturbed)


@pytest.mark.parametrize("checkpoint_seconds", [0.05, None])
def test_the_server_is_replaced(disturbed, undisturbed, checkpoint_seconds):
    def kill_it(fit):
        fit.epochs(12)
        os.kill(fit.server_pid(), signal.SIGKILL)

    model = disturbed.fit(kill_it, checkpoint_seconds=checkpoint_seconds, **ONE_BLOCK)
    (epoch,) = (entry["epoch"] for entry in model.history_ if entry["server_restarts"])
    assert epoch == 1 if checkpoint_seconds is None else epoch > 3
    assert_as_good(model, undisturbed)


def cut_connections(fit):
    """Cut the connections of trainer and worker; return how many there were.

    Several epochs are told of at once, so those cut before may not have been opened again yet.
    """
    with shared_server(None, 0).client() as client:

        def are_open():
            return fit.is_over or len(client.client_list(_type="normal")) > 4

        wait_until(are_open, "no connection", 30.0)
        return client.client_kill_filter(skipme=True, _type="normal")


def test_connections_are_lost(disturbed, undisturbed):
    def cut_all(fit):
        for epoch in (2, 7, 12):
            fit.epochs(epoch)
            cut.append(cut_connections(fit))

    cut = []
    model = disturbed.fit(cut_all, **ONE_BLOCK)
    assert len(cut) == 3 and min(cut) >= 3
    assert {entry["server_restarts"] for entry in model.history_} == {0}
    assert_as_good(model, undisturbed)
