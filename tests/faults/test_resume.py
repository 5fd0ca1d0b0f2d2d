"""A fit that was killed is gone on with by another process."""

import shutil
from pathlib import Path

import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.exceptions import ConfigurationError, ServerError, StoreError

from .conftest import PARAMETERS, SETTINGS, held_out_loss, labelled
from .killed_client import fit_and_kill

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Return the run of a fit that was killed, and its store's folder."""
    folder = tmp_path_factory.mktemp("killed")
    settings = SETTINGS | {"store_url": (folder / "store").as_uri()}
    run_id, _ = fit_and_kill(folder, settings, PARAMETERS)
    return run_id, folder / "store"


@pytest.fixture
def killed(left, tmp_path):
    """Return the run and the settings of a fit that was killed, and a copy of its store."""
    run_id, original = left
    folder = tmp_path / "store"
    shutil.copytree(original, folder)
    settings = SETTINGS | {"store_url": folder.as_uri()}
    return run_id, settings | {"resume": run_id, "checkpoint_seconds": 0.05}, folder


def fit(settings, parameters=PARAMETERS, data=None):
    X, y = data or labelled()
    with config_context(**settings):
        return CirrusLogisticRegression(**parameters).fit(X, y)


def checkpoints(folder, run_id):
    return sorted((folder / "runs" / run_id).glob("checkpoint-*"))


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "the last is damaged"])
def test_a_killed_fit_is_gone_on_with(killed, undisturbed, damaged, caplog):
    run_id, settings, folder = killed
    if damaged:
        last = checkpoints(folder, run_id)[-1]
        content = bytearray(last.read_bytes())
        content[-5] ^= 1
        last.write_bytes(content)
    caplog.set_level("INFO", "sklearn_cirrus")
    model = fit(settings)
    assert ("its checksum is another" in caplog.text) == damaged
    assert f"run {run_id}: goes on from epoch " in caplog.text
    assert [entry["epoch"] for entry in model.history_] == list(range(1, 31))
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
    assert list(folder.iterdir()) == []
    with pytest.raises(ConfigurationError, match=f"no checkpoint of run '{run_id}'.*none"):
        fit(settings)


def test_a_fit_that_is_another_is_refused(killed):
    run_id, settings, folder = killed
    X, y = labelled()
    other = X.copy()
    other[-1, -1] += 1
    with pytest.raises(ConfigurationError, match="cannot be resumed.*another: the data"):
        fit(settings, data=(other, y))
    with pytest.raises(ConfigurationError, match=r"the data"):
        fit(settings, data=(X, 1 - y))
    with pytest.raises(ConfigurationError, match=r"another: C=0.5 \(was 1.0\)$"):
        fit(settings, PARAMETERS | {"C": 0.5})
    with pytest.raises(ConfigurationError, match=r"random_state=1 \(was 0\)"):
        fit(settings, PARAMETERS | {"random_state": 1})
    with pytest.raises(ConfigurationError, match=f"run '0123'.*have some: {run_id}"):
        fit(settings | {"resume": "0123"})
    with pytest.raises(ConfigurationError, match="other than 'inline'"):
        fit(settings | {"n_workers": None}, PARAMETERS | {"backend": "inline"})
    with pytest.raises(ValueError, match="only fit can"), config_context(**settings):
        CirrusLogisticRegression().partial_fit(X, y, classes=[0, 1])
    assert len(checkpoints(folder, run_id)) == 2  # it is all still there
    assert held_out_loss(fit(settings)) < 0.7


def test_all_checkpoints_damaged(killed):
    run_id, settings, folder = killed
    for path in checkpoints(folder, run_id):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="not a whole checkpoint"):
        fit(settings)


@pytest.mark.parametrize("keep", [True, False])
def test_a_fit_that_fails_may_keep_its_checkpoint(disturbed, undisturbed, tmp_path, keep):
    def delete(fit):
        fit.epochs(10)
        fit.run.server.drop()

    settings = {"store_url": tmp_path.as_uri(), "checkpoint_seconds": 0.05}
    with pytest.raises(ServerError, match="vanished") as caught:
        disturbed.fit(delete, keep_checkpoint=keep, **settings)
    run_id = disturbed.run.keys.run_id
    kept = checkpoints(Path(tmp_path), run_id)
    assert [path.name for path in tmp_path.rglob("*.safetensors")] != [] or not keep
    assert len(kept) == (2 if keep else 0)
    notes = " ".join(getattr(caught.value, "__notes__", []))
    assert (f"resume='{run_id}'" in notes) == keep
    if keep:
        model = disturbed.fit(lambda fit: None, resume=run_id, **settings)
        assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)
