"""However a call or its process ends: no process, no folder, no thread is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Starts tasks that tell their pid and sleep. argv: a folder to tell it in.
PROGRAM = """
import os, pathlib, sys, time
import joblib, numpy as np
import sklearn_cirrus
from sklearn_cirrus._scratch import scratch_folder

folder = pathlib.Path(sys.argv[1])

def act(array):
    (folder / str(os.getpid())).touch()
    time.sleep(60)

(folder / "scratch").write_text(scratch_folder())
with joblib.parallel_config("cirrus", n_jobs=2):
    try:
        joblib.Parallel()(joblib.delayed(act)(np.zeros(10_000)) for _ in range(50))
    except KeyboardInterrupt:
        import threading
        names = [thread.name for thread in threading.enumerate()]
        assert "cirrus-dispatcher" not in names, names
        assert not any(files for _, _, files in os.walk(scratch_folder()))
        print("interrupted", flush=True)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, what, timeout=120.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_all(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(list(tmp_path.glob("[0-9]*"))) == 2 or process.poll(), "two workers")
        assert process.poll() is None, process.communicate()[1]
        workers = [int(path.name) for path in tmp_path.glob("[0-9]*")]
        scratch = Path((tmp_path / "scratch").read_text())
        assert list(scratch.rglob("buffer-*"))
        process.send_signal(number)
        out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    if number == signal.SIGINT:
        assert (process.returncode, out.strip()) == (0, "interrupted"), errors
    else:
        assert process.returncode == -number
    wait_until(lambda: not any(map(is_alive, workers)), "workers live on")
    wait_until(lambda: not scratch.exists(), "the scratch folder is still there")
