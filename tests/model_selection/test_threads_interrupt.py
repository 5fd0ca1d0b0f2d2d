"""Ctrl-C in a search on joblib's threads: the process ends, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

INTERRUPTED = """
import sys, warnings
import joblib, numpy as np, psutil
from sklearn.model_selection import GridSearchCV
from sklearn_cirrus import CirrusLogisticRegression, _trainer, set_config
from sklearn_cirrus._scratch import scratch_folder

entry, seen = _trainer.Run._entry, set()

def say(run, epoch, *args):
    seen.add(run)
    if len(seen) == 2 and epoch == 2:
        pids = [child.pid for child in psutil.Process().children(recursive=True)]
        print(scratch_folder(), *pids, flush=True)
    return entry(run, epoch, *args)

_trainer.Run._entry = say
set_config(block_bytes=1 << 16, store_url=sys.argv[1] or None)
rng = np.random.default_rng(0)
X = rng.normal(size=(4000, 20))
clf = CirrusLogisticRegression(n_workers=1, max_iter=100_000, tol=None)
search = GridSearchCV(clf, {"C": [1, 2, 3]}, cv=2)
with joblib.parallel_config("threading", n_jobs=3):
    search.fit(X, X[:, 0] > 0)
"""


@pytest.mark.parametrize("has_store", [False, True])
def test_ctrl_c_ends_the_process_and_leaves_nothing(has_store, tmp_path):
    store = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, store.as_uri() if has_store else ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        folder, *pids = process.stdout.readline().split()
        assert len(pids) >= 3
        os.killpg(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.communicate()
    assert "KeyboardInterrupt" in errors
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if Path("/proc", pid).exists()] + [
        path for path in (folder, store / "runs") if os.path.exists(path)
    ]:
        assert time.monotonic() < deadline, (left, errors)
        time.sleep(0.01)
