"""Workers and servers that die in the middle of a fit, Ctrl-C, and what is left afterwards."""

import os
import re
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from sklearn_cirrus import CirrusLogisticRegression, _crew, _trainer, config_context
from sklearn_cirrus.exceptions import CirrusError, DivergenceError, WorkerError
from sklearn_cirrus.servers import EmbeddedServer, shared_server

N, D, EPOCHS = 20_000, 20, 6


@pytest.fixture(scope="module")
def data():
    """Labels drawn from a known model, and the loss of that model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)).astype(np.float32)
    margins = X @ rng.normal(size=D)
    y = (margins + rng.logistic(size=N) > 0).astype(int)
    return X, y, float(np.mean(np.logaddexp(0, np.where(y == 1, -margins, margins))))


def fit(X, y, **parameters):
    """A fit on two workers and 50 blocks, of thousands of round trips."""
    parameters = {
        "n_workers": 2,
        "batch_size": 16,
        "max_iter": EPOCHS,
        "tol": None,
        "random_state": 0,
        "backend": "local",
    } | parameters
    with config_context(block_bytes=1 << 16):
        return CirrusLogisticRegression(**parameters).fit(X, y)


@pytest.fixture
def at_epoch(monkeypatch):
    """Have something done when an epoch is over, in the thread of the fit."""

    def arrange(wanted, act):
        entry = _trainer.Run._entry

        def act_first(run, epoch, *arguments):
            if epoch in wanted:
                act(run)
            return entry(run, epoch, *arguments)

        monkeypatch.setattr(_trainer.Run, "_entry", act_first)

    return arrange


@pytest.fixture
def in_epochs(monkeypatch):
    """Have something done in the middle of epochs, while the workers work."""

    def arrange(wanted, act):
        offer, done = _trainer.Run._offer, set()

        def offer_and_act(run, *leases):
            offer(run, *leases)
            if run._epoch in wanted - done:
                done.add(run._epoch)
                act(run)

        wanted = set(wanted)
        monkeypatch.setattr(_trainer.Run, "_offer", offer_and_act)

    return arrange


def kill_worker(run, place=0):
    """Kill the process of one worker of a run."""
    os.kill(run.crew._handles[place].pid, signal.SIGKILL)


def pid_of(server):
    with server.client() as client:
        return client.info("server")["process_id"]


def assert_nothing_left(server=None):
    """Fail if there is a key on the server or a block in the scratch folder."""
    from sklearn_cirrus._scratch import scratch_folder

    with (server or shared_server()).client() as client:
        assert client.keys() == []
    files = [path for path in Path(scratch_folder(), "runs").rglob("*") if path.is_file()]
    assert files == []


def test_a_fit_leaves_nothing(data):
    X, y, loss = data
    model = fit(X, y)
    assert_nothing_left()
    assert model.history_[-1]["train_loss"] == pytest.approx(loss, rel=0.05)


def test_the_check_for_leftovers_can_fail(data, at_epoch):
    X, y, _ = data
    found = []

    def look(run):
        with shared_server().client() as client:
            found.extend(client.keys())
        found.extend(run.place.store.list())

    at_epoch([1], look)
    fit(X, y, max_iter=3)
    keys = {key.decode().rpartition(":")[2] for key in found if isinstance(key, bytes)}
    blocks = [name for name in found if isinstance(name, str)]
    assert keys == {"model", "leases", "metrics", "offered"} and len(blocks) > 30
    assert_nothing_left()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_killed_worker_is_replaced(data, in_epochs, caplog, early_stopping):
    X, y, loss = data
    killed = []

    def kill(run):
        killed.append(run.crew._handles[0].pid)
        kill_worker(run)

    in_epochs([2], kill)
    started = time.monotonic()
    model = fit(X, y, early_stopping=early_stopping)
    assert time.monotonic() - started < 20  # its block did not wait for the lease to run out
    assert len(killed) == 1
    assert re.search(r"worker 0 of run \w+ is replaced: .*signal 9", caplog.text)
    assert model.n_iter_ == EPOCHS
    # Every row is counted once in every epoch, also those of the block that was begun twice.
    rows = N * 9 // 10 if early_stopping else N
    assert [entry["rows"] for entry in model.history_] == [rows] * EPOCHS
    assert model.history_[-1]["train_loss"] == pytest.approx(loss, rel=0.05)
    assert_nothing_left()


def test_a_report_that_comes_twice_counts_once(data, monkeypatch):
    """A lease that two workers did: one fell silent and finished late."""
    X, y, _ = data
    run_in = _trainer.Run.__enter__

    def enter_with_echo(run):
        collect = run.place.board.collect
        run.place.board.collect = lambda timeout: collect(timeout) * 2
        return run_in(run)

    monkeypatch.setattr(_trainer.Run, "__enter__", enter_with_echo)
    model = fit(X, y, max_iter=3, early_stopping=True)
    assert [entry["rows"] for entry in model.history_] == [N * 9 // 10] * 3


def test_workers_that_die_again_and_again_are_an_error(data, monkeypatch):
    X, y, _ = data
    look = _crew.Crew.look_after

    def kill_and_look(crew, check):
        for handle in crew._handles.values():
            if handle.poll() is None:
                handle.kill()
                handle.wait(10)
        look(crew, check)

    monkeypatch.setattr(_crew.Crew, "look_after", kill_and_look)
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"workers died 4 times in a row .*; at last: .*signal 9"):
        fit(X, y)
    assert time.monotonic() - started < 30
    monkeypatch.undo()
    assert_nothing_left()
    assert fit(X, y, max_iter=2).n_iter_ == 2


def test_a_killed_server_is_replaced_and_the_next_fit_has_the_new_one(data, in_epochs, monkeypatch):
    X, y, loss = data
    in_epochs([2], lambda run: os.kill(pid_of(shared_server()), signal.SIGKILL))
    started = time.monotonic()
    model = fit(X, y)
    assert time.monotonic() - started < 30
    assert sum(entry["server_restarts"] for entry in model.history_) == 1
    assert model.history_[-1]["train_loss"] == pytest.approx(loss, rel=0.05)
    monkeypatch.undo()
    model = fit(X, y)
    assert model.history_[-1]["train_loss"] == pytest.approx(loss, rel=0.05)
    assert_nothing_left()


def test_a_block_that_is_lost_is_an_error(data, at_epoch, monkeypatch):
    X, y, _ = data

    def lose(run):
        run.place.store.delete(run.place.store.list())

    at_epoch([1], lose)
    with config_context(buffer_bytes=0), pytest.raises(CirrusError, match="no such object"):
        fit(X, y)
    monkeypatch.undo()
    assert_nothing_left()


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_an_error_in_the_client_ends_the_run(data, at_epoch, monkeypatch, backend):
    X, y, _ = data

    def fail(run):
        raise LookupError("from the test")

    at_epoch([1], fail)
    model = CirrusLogisticRegression(backend=backend, random_state=0)
    with pytest.raises(LookupError, match="from the test"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
    assert "cirrus-inline-worker" not in [thread.name for thread in threading.enumerate()]
    monkeypatch.undo()
    assert_nothing_left()


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_a_divergence_ends_the_run(backend):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)) * 1e29, rng.integers(0, 2, 60)
    model = CirrusLogisticRegression(
        solver="sgd", learning_rate=9e8, backend=backend, C=np.inf, random_state=0
    )
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    assert_nothing_left()


def test_a_fit_after_a_server_of_another_url(data):
    """Clients are kept for a url; another url must not be answered by the server before."""
    X, y, _ = data
    server = EmbeddedServer()
    server.start()
    try:
        with config_context(redis_url=server.url):
            fit(X, y, max_iter=1)
        with server.client() as client:
            assert {"cmdstat_CIRRUS.CREATE", "cmdstat_CIRRUS.STEP"} & set(
                client.info("commandstats")
            )
        assert_nothing_left(server)
        fit(X, y, max_iter=1)
    finally:
        server.stop()
    assert fit(X, y, max_iter=1).n_iter_ == 1


def test_no_warning_and_no_log_above_debug_in_a_good_fit(data, caplog):
    X, y, _ = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(X, y)
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []
