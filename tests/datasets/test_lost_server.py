"""The server is killed in the middle of a map: nothing is lost or there twice, or one error."""

import os
import signal

import numpy as np
import pytest

from sklearn_cirrus import CirrusStandardScaler, Dataset, config_context
from sklearn_cirrus._map_run import MapRun
from sklearn_cirrus.exceptions import ServerError
from sklearn_cirrus.servers import shared

from ..faults.conftest import assert_nothing_left
from ..redis_servers import find_server, running_server
from .conftest import assert_same_frame, manifest_of, objects, table

SETTINGS = {"n_workers": 2, "block_bytes": 1024, "lease_seconds": 2, "retry_seconds": 2}


@pytest.fixture
def lose(monkeypatch):
    """Return a function by which every map loses its server once, when some results have come."""
    runs, look_at = [], MapRun._look_at

    def lose(kill):
        def kill_and_look(self, reports):
            if self not in runs and len(reports) >= 3:
                runs.append(self)
                kill()
            look_at(self, reports)

        monkeypatch.setattr(MapRun, "_look_at", kill_and_look)
        return runs

    yield lose
    for run in runs:
        assert_nothing_left(run)


def kill_embedded():
    """Kill the embedded server."""
    with shared.shared_server(None, 0).client() as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)


@pytest.fixture
def file(tmp_path):
    frame = table(900, seed=3)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame, tmp_path / "t.csv"


def test_loading_goes_on_with_another_server(file, tmp_path, lose):
    frame, path = file
    runs, folder = lose(kill_embedded), tmp_path / "to"
    with config_context(**SETTINGS):
        data = Dataset.from_csv(path, label="label", dtype="float64", url=folder.as_uri())
    assert len(runs) == 2  # the scan, and the loading
    assert_same_frame(data, frame)
    names = [block["name"] for block in manifest_of(folder)["blocks"]]
    assert sorted(names) == [name for name in objects(folder) if name.startswith("block-")]
    assert not [name for name in objects(folder) if name.startswith(("part-", "loading", "."))]


def test_a_scaler_is_fitted_with_another_server(lose):
    X = np.random.default_rng(0).normal(size=(2000, 5))
    with config_context(**SETTINGS):
        data = Dataset.from_arrays(X, dtype="float64")
        runs = lose(kill_embedded)
        scaler = CirrusStandardScaler().fit(data)
    assert len(runs) == 1
    np.testing.assert_allclose(scaler.mean_, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.var_, X.var(axis=0), rtol=1e-12)
    assert scaler.n_samples_seen_ == 2000


@pytest.mark.skipif(find_server("redis-server") is None, reason="redis-server is not installed")
def test_a_server_that_stays_away_is_one_error_and_loading_goes_on_later(file, tmp_path, lose):
    frame, path = file
    folder, server_folder = tmp_path / "to", tmp_path / "server"
    server_folder.mkdir()
    options = {"label": "label", "dtype": "float64", "quote": None, "types": {"text": "skip"}}
    frame = frame.assign(label=frame.label.str.replace(",", ""), text="x")
    frame.to_csv(path, index=False)
    with running_server(find_server("redis-server"), server_folder) as server:

        def kill():
            server._process.kill()
            server._process.wait()

        lose(kill)
        settings = SETTINGS | {"redis_url": f"unix://{server.socket}"}
        with config_context(**settings), pytest.raises(ServerError, match="cannot be reached"):
            Dataset.from_csv(path, url=folder.as_uri(), **options)
    done = [name for name in objects(folder) if name.startswith("part-")]
    assert len(done) >= 3 and not (folder / "dataset.json").exists()
    blocks = {name.replace("part-", "block-").replace(".json", "-000.safetensors") for name in done}
    before = {name: (folder / name).stat().st_mtime_ns for name in blocks}
    with config_context(**SETTINGS):
        data = Dataset.from_csv(path, url=folder.as_uri(), **options)
    assert {name: (folder / name).stat().st_mtime_ns for name in blocks} == before
    assert_same_frame(data, frame.drop(columns="text"))
