"""A fit long enough to be disturbed, who disturbs it, and the proof that nothing is left of it."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss

from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context
from sklearn_cirrus.servers import shared

from ..redis_servers import wait_until

DEADLINE = 60.0  # seconds in which every fit must have ended, in whatever way
SETTINGS = {"block_bytes": 40_000, "n_workers": 2, "lease_seconds": 2.0, "retry_seconds": 3.0}
PARAMETERS = {
    "max_iter": 30, "tol": None, "random_state": 0, "batch_size": 20,
}  # fmt: skip


def labelled(seed=0, n_rows=6000):
    """Return data of a known logistic model: 26 blocks."""
    weights = np.random.default_rng(7).normal(size=20)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 20)).astype(np.float32)
    margins = X @ weights
    return X, (margins + 2 * rng.logistic(size=n_rows) > 0).astype(int)


def held_out_loss(model):
    """Return the loss of a model on rows that it has not seen."""
    X, y = labelled(seed=1, n_rows=50_000)
    return log_loss(y, model.predict_proba(X))


class Disturbed:
    """A fit and a thread that disturbs it.

    Attributes
    ----------
    run : Run
        The run of the fit, from its beginning on.
    runs : list of Run
        That one, and those of fits in other threads.
    """

    def __init__(self):
        self.run = None
        self.runs = []
        self._thread = None
        self.deeds = 0
        self._begun = threading.Event()
        self._over = threading.Event()
        self._failure = None

    def fit(self, deed, parameters=None, data=None, **settings):
        """Fit while a thread calls ``deed(self)``; return the model."""
        X, y = data or labelled()
        model = CirrusLogisticRegression(**PARAMETERS | (parameters or {}))
        with config_context(**SETTINGS | settings):
            return self.during(deed, lambda: model.fit(X, y))

    def during(self, deed, train):
        """Return ``train()``, while a thread calls ``deed(self)``."""
        self._thread = threading.get_ident()
        thread = threading.Thread(target=self._disturb, args=(deed,))
        thread.start()
        try:
            return train()
        finally:
            self._over.set()
            self._begun.set()
            thread.join(DEADLINE)
            assert not thread.is_alive()
            if self._failure is not None:
                raise self._failure

    @property
    def is_over(self):
        """Whether the fit has ended."""
        return self._over.is_set()

    def pause(self, seconds):
        """Wait; return whether the fit still goes on."""
        return not self._over.wait(seconds)

    def epochs(self, count):
        """Wait until so many epochs are done; fail if the fit ends first."""
        wait_until(lambda: self.is_over or len(self.run.history) >= count, "no epoch", DEADLINE)
        assert not self.is_over, "the fit was over before it was disturbed"

    def hit(self, kind=signal.SIGKILL, workers=None):
        """Send a signal to workers that run, by their places; return how many there were."""
        hit = 0
        for worker, handle in list(self.run.crew._handles.items()):
            if (workers is None or worker in workers) and handle.poll() is None:
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(handle.pid, kind)
                    hit += 1
        self.deeds += hit
        return hit

    def server_pid(self, number=0):
        """Return the process of an embedded server."""
        with shared.shared_server(None, number).client() as client:
            return client.info("server")["process_id"]

    def take_note_of(self, run):
        """Called by the fixture when a run begins."""
        self.runs.append(run)
        if threading.get_ident() == self._thread:
            self.run = run
            self._begun.set()

    def _disturb(self, deed):
        """Do the deed once the fit has begun."""
        try:
            assert self._begun.wait(DEADLINE)
            if not self.is_over:
                deed(self)
        except BaseException as error:  # raised again where fit() was called
            self._failure = error


@pytest.fixture
def disturbed(monkeypatch):
    """Return a Disturbed; afterwards, nothing of its fit may be left."""
    made = Disturbed()
    create, resume = _trainer.Run.create, _trainer.Run.resume

    def note_create(run, *args):
        run.history = []
        made.take_note_of(run)
        create(run, *args)

    def note_resume(run, checkpoint):
        run.history = []
        made.take_note_of(run)
        resume(run, checkpoint)

    monkeypatch.setattr(_trainer.Run, "create", note_create)
    monkeypatch.setattr(_trainer.Run, "resume", note_resume)
    yield made
    for run in made.runs:
        assert_nothing_left(run)


def assert_nothing_left(run):
    """Fail unless a run has left no worker at work, no key and no object."""
    handles = run.crew._handles.values()
    assert all(handle.poll() is not None for handle in handles)
    folder = Path(run.place.store.url.removeprefix("file://"))
    assert not [path for path in folder.rglob("*") if run.keys.run_id in path.parts]
    for server in list(shared._shared.values()):
        if server.is_alive():
            with server.client() as client:
                assert client.keys(f"*{run.keys.run_id}*") == []


@pytest.fixture(scope="session")
def undisturbed():
    """Return the held-out loss of the fit that nobody disturbs."""
    return _undisturbed()


@pytest.fixture(scope="session")
def undisturbed_on_fewer_rows():
    """Return the same of one that keeps rows back to tell when to stop: it learns from fewer."""
    return _undisturbed(early_stopping=True, n_iter_no_change=20)


def _undisturbed(**parameters):
    X, y = labelled()
    # However slow the machine is, no worker is to be taken for dead.
    with config_context(**SETTINGS | {"lease_seconds": DEADLINE}):
        model = CirrusLogisticRegression(**PARAMETERS | parameters).fit(X, y)
    assert {entry["workers_replaced"] for entry in model.history_} == {0}
    return held_out_loss(model)


@pytest.fixture(autouse=True)
def in_time():
    """Fail if a test took so long that something must have hung."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < DEADLINE
