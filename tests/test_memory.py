"""The memory of a whole fit is bounded: the client's by X, a worker's by its buffer.

Both are measured in a fresh process, as ``benchmarks/fit_memory.py`` does it, from the peaks of the
resident memory that Linux keeps. Not to keep the bounds would take twice as much as they allow: a
copy of X, or the blocks kept in memory, would make two of the client's 1.5 X, and a worker that
lets go of nothing comes to hold every block, all of X that is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LINUX = Path("/proc/self/clear_refs").exists()
pytestmark = pytest.mark.skipif(not LINUX, reason="only Linux tells the peak of a process's memory")
SLACK = 6  # MiB of an interpreter's comings and goings


@pytest.mark.parametrize(
    ("case", "rows", "more"),
    [
        ("values-float32", 100_000, ["--backend", "local", "--weighted"]),
        ("dense-float64", 100_000, ["--backend", "inline"]),
    ],
)
def test_a_fit_takes_less_than_half_of_X_beside_it(repository, case, rows, more):
    folder = repository / "benchmarks"
    sizes = ["--buffer-mib", "4", "--block-mib", "1", "--bits", "14", "--epochs", "2"]
    done = subprocess.run(
        [sys.executable, folder / "fit_memory.py", *sizes, *more, "--child", case, str(rows)],
        env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["X_mib"] > 29
    assert found["client_over_X"] < 1.5
    workers = 2 if "local" in more else 0
    assert len(found["worker_rise_mib"]) == workers
    for rise in found["worker_rise_mib"]:
        assert rise < found["worker_allowed_mib"] + SLACK < found["X_mib"] / 2
