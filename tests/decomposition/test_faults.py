"""Workers and server are killed while ratings are factorized; a killed fit is gone on with."""

import os
import re
import signal

import pytest

from sklearn_cirrus import _trainer

from ..faults.conftest import SETTINGS, disturbed, in_time  # noqa: F401 (fixtures)
from .planted import factorize, objective, planted

pytestmark = pytest.mark.timeout(90)

PARAMETERS = {"max_iter": 30, "tol": None, "batch_size": 10}
ON_SERVER = {**SETTINGS, "backend": "local", "block_bytes": 20_000}
ONE_BLOCK = {"block_bytes": 8 << 20}
LONG = PARAMETERS | {"batch_size": 2}  # or it is over before it is disturbed


@pytest.fixture(scope="module")
def X():
    return planted(1200, 150)


@pytest.fixture(scope="module")
def undisturbed(X):
    """The objective that a fit comes to that nobody disturbs."""
    return objective(X, factorize(X, **PARAMETERS).items)


def assert_as_good(outcome, X, undisturbed):
    assert objective(X, outcome.items) == pytest.approx(undisturbed, rel=0.03)
    assert [entry["epoch"] for entry in outcome.history] == list(range(1, 31))
    assert {entry["rows"] for entry in outcome.history} == {X.nnz}


@pytest.mark.parametrize(
    ("settings", "parameters"), [({}, PARAMETERS), (ONE_BLOCK, LONG)], ids=["blocks", "block"]
)
def test_killed_workers_are_replaced(disturbed, X, undisturbed, settings, parameters):  # noqa: F811
    def kill(fit):
        for epoch in (1, 8):
            fit.epochs(epoch)
            fit.hit()

    outcome = disturbed.during(
        kill, lambda: factorize(X, settings=ON_SERVER | settings, **parameters)
    )
    assert sum(e["workers_replaced"] for e in outcome.history) >= disturbed.deeds >= 2
    assert_as_good(outcome, X, undisturbed)


@pytest.mark.parametrize(
    ("settings", "parameters"), [({}, PARAMETERS), (ONE_BLOCK, LONG)], ids=["blocks", "block"]
)
def test_a_killed_server_is_replaced(disturbed, X, undisturbed, settings, parameters):  # noqa: F811
    def kill(fit):
        fit.epochs(12)
        os.kill(fit.server_pid(), signal.SIGKILL)

    settings = ON_SERVER | {"checkpoint_seconds": 0.05} | settings
    outcome = disturbed.during(kill, lambda: factorize(X, settings=settings, **parameters))
    (epoch,) = (e["epoch"] for e in outcome.history if e["server_restarts"])
    assert epoch > 2
    assert_as_good(outcome, X, undisturbed)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_fit_that_failed_is_gone_on_with(monkeypatch, tmp_path, X, early_stopping):
    settings = ON_SERVER | {"store_url": tmp_path.as_uri(), "checkpoint_seconds": 0.01}
    parameters = PARAMETERS | {"early_stopping": early_stopping, "n_iter_no_change": 30}
    entry = _trainer.Run._entry

    def fail(run, epoch, *args):
        if epoch >= 6 and run.place.store.list(run.checkpoints.prefix):
            raise RuntimeError("in the middle")
        return entry(run, epoch, *args)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="in the middle") as info:
        patch.setattr(_trainer.Run, "_entry", fail)
        factorize(X, settings=settings | {"keep_checkpoint": True}, **parameters)
    (run_id,) = re.findall(r"resume='(\w+)'", info.value.__notes__[0])
    with pytest.raises(ValueError, match="is another: alpha=0.3"):
        factorize(X, settings=settings | {"resume": run_id}, alpha=0.3, **parameters)
    outcome = factorize(X, settings=settings | {"resume": run_id}, **parameters)
    assert outcome.run_id == run_id
    assert [e["epoch"] for e in outcome.history] == list(range(1, 31))
    expected = factorize(X, settings=ON_SERVER, **parameters)
    assert objective(X, outcome.items) == pytest.approx(objective(X, expected.items), rel=0.03)
    if early_stopping:
        assert outcome.history[-1]["valid_loss"] < outcome.history[0]["valid_loss"]
