"""The client is killed in the middle of a fit; another process goes on with it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ..faults.conftest import held_out_loss, labelled
from ..faults.test_resume import SCRIPT
from .conftest import PARAMETERS, PASSWORD, SETTINGS, objects

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iterations")


def test_a_killed_client_s_fit_is_gone_on_with(fit, emulator, server, undisturbed, tmp_path):
    X, y = labelled()
    np.savez(tmp_path / "data.npz", X=X, y=y)
    settings = SETTINGS | {"redis_url": server.url, "checkpoint_seconds": 0.05}
    parameters = PARAMETERS | {"max_iter": 40}
    arguments = json.dumps([str(tmp_path / "data.npz"), settings, parameters])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run_id = process.stdout.readline().strip()
    process.kill()
    errors = process.communicate(timeout=30)[1]
    assert run_id, errors
    assert PASSWORD not in errors
    # What a killed client leaves: its workers, its keys, its user and its objects.
    assert [slot for slot in emulator.slots() if slot.state == "busy"]
    assert f"cirrus-{run_id}" in server.client.acl_users()
    assert server.client.keys("cirrus:*") and objects()
    model = fit({"max_iter": 40}, resume=run_id)
    assert model.n_iter_ == 40 and model.history_[0]["epoch"] == 1
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    # The fixture finds nothing left of either.
