"""A process that is killed in the middle of a fit leaves no process and no file."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

# Says which children and folders there are as soon as the first epoch is done, and trains on.
SCRIPT = """
import json, os, threading
import numpy as np, psutil
from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context

entry = _trainer.Run._entry

def say_and_go_on(run, epoch, *args):
    if epoch == 1:
        children = psutil.Process().children(recursive=True)
        folder = run.place.store.url.removeprefix("file://")
        print(json.dumps([[c.pid for c in children], folder, os.listdir(folder)]), flush=True)
    return entry(run, epoch, *args)

_trainer.Run._entry = say_and_go_on
rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 40))
with config_context(block_bytes=1 << 18):
    CirrusLogisticRegression(max_iter=100_000, tol=None, n_workers=2).fit(X, X[:, 0] > 0)
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_fit_leaves_nothing(blow):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.communicate(timeout=30)[1])
        pids, folder, content = json.loads(line)
        assert len(pids) >= 3 and content == ["runs"]  # two workers, the server and its guard
        process.send_signal(blow)
        assert process.wait(timeout=30) != 0
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 15
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.01)
    while Path(folder).exists():
        assert time.monotonic() < deadline, f"still there: {folder}"
        time.sleep(0.01)


def _runs(pid):
    """Whether a process runs; one that only waits for its parent to look does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
