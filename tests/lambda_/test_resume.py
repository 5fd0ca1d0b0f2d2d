"""The client is killed in the middle of a fit; another process goes on with it."""

import pytest

from ..faults.conftest import held_out_loss
from ..faults.killed_client import fit_and_kill
from ..redis_servers import wait_until
from .conftest import PARAMETERS, PASSWORD, SETTINGS, objects

pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of iterations")


@pytest.mark.parametrize("late", [False, True], ids=["at once", "when its workers have ended"])
def test_a_killed_client_s_fit_is_gone_on_with(fit, emulator, server, undisturbed, tmp_path, late):
    settings = SETTINGS | {"redis_url": server.url, "lease_seconds": 0.75 if late else 1.5}
    run_id, errors = fit_and_kill(tmp_path, settings, PARAMETERS | {"max_iter": 40})
    assert PASSWORD not in errors
    # What a killed client leaves: its workers, its keys, its user and its objects.
    assert busy(emulator)
    assert f"cirrus-{run_id}" in server.client.acl_users()
    assert server.client.keys("cirrus:*") and objects()
    if late:  # the function's time limit is a minute
        wait_until(lambda: not busy(emulator), "workers wait for a client that was killed", 15)
    model = fit({"max_iter": 40}, resume=run_id)
    assert model.n_iter_ == 40 and model.history_[0]["epoch"] == 1
    assert {entry["rows"] for entry in model.history_} == {6000}
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    # The fixture finds nothing left of either.


def busy(emulator):
    """Return the slots that run a worker."""
    return [slot for slot in emulator.slots() if slot.state == "busy"]
