"""Fits whose workers are killed and frozen at random: all reach the undisturbed loss.

``CIRRUS_TEST_CHAOS=20 pytest tests/faults/test_chaos.py`` goes through twenty seeds in place of
eight.
"""

import os

import numpy as np
import psutil
import pytest

from sklearn_cirrus.servers import shared
from sklearn_cirrus.workers import local

from .conftest import held_out_loss

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]


@pytest.mark.parametrize("seed", range(int(os.environ.get("CIRRUS_TEST_CHAOS", "8"))))
def test_chaos(disturbed, undisturbed, undisturbed_on_fewer_rows, seed):
    rng = np.random.default_rng(seed)

    def chaos(fit):
        fit.epochs(1)
        for _ in range(1 + rng.integers(3)):
            if not fit.pause(rng.uniform(0, 0.3)):
                break
            fit.hit(workers=rng.choice(2, size=1 + rng.integers(2), replace=False))

    early = bool(seed % 2)  # half of them with held-out rows
    parameters = {"early_stopping": early, "n_iter_no_change": 20}
    model = disturbed.fit(chaos, parameters, prefetch=bool(seed // 2 % 2))
    assert disturbed.deeds >= 1
    expected = undisturbed_on_fewer_rows if early else undisturbed
    assert held_out_loss(model) == pytest.approx(expected, rel=0.01)
    assert_nothing_runs_but_the_pool()


def assert_nothing_runs_but_the_pool():
    """Fail if a process is left that no fit of this process may use again."""
    known = {process.pid for process in local.shared_pool()._all}
    for server in shared._shared.values():
        known.add(server._guard._shell.pid)
    children = psutil.Process().children(recursive=True)
    workers = [child for child in children if "cirrus_runtime.process" in _command(child)]
    assert {child.pid for child in workers} <= known
    assert all(handle is None for handle in (p.handle for p in local.shared_pool()._all))


def _command(process):
    """Return the command line of a process, which may be over."""
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.NoSuchProcess:
        return []
