"""Loading that is broken off goes on; workers that die lose and double nothing."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sklearn_cirrus import CirrusStandardScaler, Dataset, config_context
from sklearn_cirrus._map_run import MapRun
from sklearn_cirrus.exceptions import StoreError

from .conftest import assert_same_frame, manifest_of, objects, table

# Loads argv[1] into argv[2], and is killed by the worker's second range.
_KILLED = """
import os, signal, sys
import cirrus_runtime.loading as loading
from sklearn_cirrus import Dataset, config_context

put, done = loading.Load.apply, []
def apply(self, lease, raw):
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(1)
    return put(self, lease, raw)
loading.Load.apply = apply
with config_context(backend="inline", block_bytes=4096):
    Dataset.from_csv(sys.argv[1], label="label", dtype="float64", url=sys.argv[2])
"""


@pytest.fixture
def large(tmp_path):
    """A frame in a file of about ten ranges."""
    frame = table(1200, seed=7)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame, tmp_path / "t.csv"


@pytest.fixture
def killed(large, tmp_path):
    """The folder that a process was loading the file into when it was killed."""
    folder = tmp_path / "to"
    command = [sys.executable, "-c", _KILLED, str(large[1]), folder.as_uri()]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert len(list(folder.glob("part-*"))) == 3 and not (folder / "dataset.json").exists()
    return folder


def load(path, folder, **options):
    options = {"label": "label", "dtype": "float64"} | options
    with config_context(backend="inline", block_bytes=4096):
        return Dataset.from_csv(path, url=folder.as_uri(), **options)


def test_it_goes_on_where_it_was_killed(large, killed):
    frame, path = large
    before = {p.name: p.stat().st_mtime_ns for p in killed.glob("block-*")}
    data = load(path, killed)
    assert_same_frame(data, frame)
    after = {p.name: p.stat().st_mtime_ns for p in killed.glob("block-*")}
    done = sorted(before)[:3]
    assert [after[name] for name in done] == [before[name] for name in done]
    kinds = {name.partition("-")[0] for name in objects(killed)}
    assert kinds == {"block", "labels", "dataset.json"}


def test_it_does_not_go_on_in_another_way(large, killed):
    frame, path = large
    for change in ({"dtype": "float32"}, {"label": None}, {"types": {"text": "skip"}}):
        with pytest.raises(StoreError, match="in another way.*overwrite=True to start over"):
            load(path, killed, **change)
    os.utime(path, ns=(1, 1))  # a file that was written anew
    with pytest.raises(StoreError, match="from other files"):
        load(path, killed)
    assert_same_frame(load(path, killed, overwrite=True), frame)


def test_a_damaged_part_is_told(large, killed):
    (killed / "part-000001.json").write_text("{")
    with pytest.raises(StoreError, match="part-000001.json in .* is damaged: overwrite=True"):
        load(large[1], killed)


@pytest.fixture
def killed_workers(monkeypatch):
    """Kills a worker process when some results of a run have come, three times in all."""
    pids, look_at = [], MapRun._look_at

    def kill_and_look(self, reports):
        alive = {handle.pid for handle in self.crew._handles.values()} - set(pids)
        if len(reports) >= 2 * len(pids) and len(pids) < 3 and alive:
            pids.append(max(alive))
            os.kill(pids[-1], signal.SIGKILL)
        look_at(self, reports)

    monkeypatch.setattr(MapRun, "_look_at", kill_and_look)
    return pids


def test_workers_that_are_killed_lose_and_double_nothing(large, tmp_path, killed_workers):
    frame, path = large
    folder = tmp_path / "to"
    with config_context(backend="local", n_workers=2, block_bytes=1024, lease_seconds=2):
        data = Dataset.from_csv(path, label="label", dtype="float64", url=folder.as_uri())
    assert len(killed_workers) >= 2
    assert_same_frame(data, frame)
    names = [block["name"] for block in manifest_of(folder)["blocks"]]
    assert sorted(names) == [name for name in objects(folder) if name.startswith("block-")]


def test_so_it_is_with_moments_and_copies(tmp_path, killed_workers):
    X = np.random.default_rng(0).normal(size=(3000, 5))
    with config_context(backend="local", n_workers=2, block_bytes=1024, lease_seconds=2):
        data = Dataset.from_arrays(X, dtype="float64")
        scaler = CirrusStandardScaler().fit(data)
        np.testing.assert_allclose(scaler.mean_, X.mean(axis=0), rtol=1e-12)
        assert scaler.n_samples_seen_ == 3000
        written = data.persist((tmp_path / "to").as_uri())
    np.testing.assert_array_equal(written.to_arrays()[0], X)
    assert len(killed_workers) >= 2
