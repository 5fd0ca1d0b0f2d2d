"""However a process ends, its server, its workers and their folder go with it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ENTRY = str(Path(__file__).parent / "workers" / "entry")

# Starts a server and two workers (one in a job, one idle), says who they are, and ends as told.
SCRIPT = """
import json, os, signal, sys, threading, time
sys.path.insert(0, {entry!r})
from sklearn_cirrus.servers import shared_server
from sklearn_cirrus.workers import LocalBackend, local
from sklearn_cirrus.workers.pool import WorkerPool

local._pools["cirrus_runtime.process"] = WorkerPool("cirrus_test_jobs")
server = shared_server()
backend = LocalBackend()
busy, idle = backend.start(
    [{{"do": "wait", "marker": os.path.join({folder!r}, "busy")}}, {{"do": "echo"}}]
)
assert idle.wait(30).ok
while not os.path.exists(os.path.join({folder!r}, "busy")):
    threading.Event().wait(0.005)
with server.client() as client:
    pid = client.info("server")["process_id"]

def say(**extra):
    pids = [pid, server._guard._shell.pid, busy.pid, idle.pid]
    print(json.dumps(dict(pids=pids, folder=os.path.dirname(server._socket), **extra)), flush=True)

{ending}
"""
WAIT = "say(); threading.Event().wait(60)"
ENDINGS = {
    "SIGKILL": (WAIT, lambda process: process.kill(), -signal.SIGKILL),
    "SIGTERM": (WAIT, lambda process: process.terminate(), -signal.SIGTERM),
    "return": ("say()", None, 0),
    "exception": ("say(); raise LookupError", None, 1),
    "os._exit": ("say(); os._exit(5)", None, 5),
    "abort": ("say(); os.abort()", None, -signal.SIGABRT),
}


def is_running(pid):
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start(folder, ending, **options):
    """Start the script; give it and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(entry=ENTRY, folder=str(folder), ending=ending)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    line = process.stdout.readline()
    if not line:
        pytest.fail(process.communicate(timeout=30)[1])
    return process, json.loads(line)


def assert_all_gone(said, timeout=5.0):
    """Fail unless the processes and the folder are gone in time."""
    deadline = time.monotonic() + timeout
    while left := [pid for pid in said["pids"] if is_running(pid)] + [
        path for path in [said["folder"]] if os.path.exists(path)
    ]:
        assert time.monotonic() < deadline, f"still there after {timeout} s: {left}"
        threading.Event().wait(0.005)


@pytest.mark.parametrize("how", ENDINGS)
def test_nothing_stays_after(how, tmp_path):
    ending, end, code = ENDINGS[how]
    process, said = start(tmp_path, ending)
    if end is not None:
        assert all(map(is_running, said["pids"])) and os.path.exists(said["folder"])
        end(process)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "worker process" not in errors  # ended by us: nothing to warn of
    assert_all_gone(said)


def test_ctrl_c_reaches_the_parent_alone(tmp_path):
    ending = """
try:
    say()
    threading.Event().wait(60)
except KeyboardInterrupt:
    assert server.is_alive() and busy.poll() is None
    backend.close()
    assert busy.poll().exit_code == -signal.SIGKILL
    (again,) = backend.start([{"do": "echo"}])
    assert again.wait(30).ok and again.pid == idle.pid
    print("interrupted", flush=True)
"""
    process, said = start(tmp_path, ending, start_new_session=True)
    os.killpg(process.pid, signal.SIGINT)  # what the terminal does: the whole group gets it
    output, errors = process.communicate(timeout=30)
    assert output == "interrupted\n" and errors == "" and process.returncode == 0
    assert_all_gone(said)


def test_a_fork_has_a_server_and_workers_of_its_own(tmp_path):
    ending = """
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    own = shared_server()
    local._pools["cirrus_runtime.process"] = WorkerPool("cirrus_test_jobs")
    (job,) = LocalBackend().start([{"do": "echo"}])
    with own.client() as client:
        client.set("of", "the child")
    report = dict(
        url=own.url, worker=job.wait(30).report["pid"], folder=os.path.dirname(own._socket)
    )
    os.write(writing, json.dumps(report).encode())
    sys.exit()
os.close(writing)
with open(reading) as file:
    report = json.load(file)
assert os.waitpid(child, 0)[1] == 0
assert report["url"] != server.url and report["worker"] not in (busy.pid, idle.pid)
assert not os.path.exists(report["folder"])
assert server.is_alive() and busy.poll() is None
with server.client() as client:
    assert client.get("of") is None
(again,) = backend.start([{"do": "echo"}])
assert again.wait(30).ok and again.pid == idle.pid
say()
"""
    process, said = start(tmp_path, ending)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 0, errors
    assert_all_gone(said)


def test_a_fork_that_lives_on_keeps_nothing_alive(tmp_path):
    ending = """
child = os.fork()
if child == 0:
    threading.Event().wait(60)
    os._exit(0)
say(child=child)
threading.Event().wait(60)
"""
    process, said = start(tmp_path, ending)
    try:
        process.kill()
        process.wait(30)
        assert_all_gone(said)
        assert is_running(said["child"])
    finally:
        os.kill(said["child"], signal.SIGKILL)
        process.communicate(timeout=30)
