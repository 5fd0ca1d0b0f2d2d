"""The profile of a fit names functions of this code: it must go on finding them."""

import json
import os
import subprocess
import sys

import pytest


def test_the_stages_of_a_fit_are_found_and_make_up_the_whole(repository):
    folder = repository / "benchmarks"
    done = subprocess.run(
        [
            *(sys.executable, folder / "fit_stages.py"),
            *("--rows", "20000", "--bits", "12", "--repeats", "1", "--epochs", "2"),
        ],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    client = {stage: entry["seconds"] for stage, entry in results["client"].items()}
    assert sum(client.values()) == pytest.approx(results["profiled_seconds"]["median"])
    assert min(client.values()) >= 0
    for stage in ("localize", "compute", "server", "load"):
        assert 0 < results["each_worker"][stage]["seconds"] < results["seconds"]["median"]
