"""A worker process whose jobs do what a test asks for; run with ``python -m cirrus_test_jobs``."""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

from cirrus_runtime.process import serve

kept = []


def run(job):
    """Do what ``job["do"]`` names."""
    return globals()["do_" + job["do"]](job)


def do_echo(job):
    return {"pid": os.getpid(), "said": job.get("say")}


def do_raise(job):
    raise LookupError("no such row: ä\n2nd line")


def do_unspeakable(job):
    return {"value": object()}


def do_print(job):
    for number in range(200):
        print(f'{{"ok": true, "report": {{"from": "print {number}"}}}}')
    os.write(1, b"written to descriptor 1\n")
    os.system("echo from a program; echo complaint >&2")
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    return {"read": sys.stdin.read()}


def do_wait(job):
    """Say that the job is under way, then wait far longer than any test."""
    Path(job["marker"]).touch()
    threading.Event().wait(300)


def do_wait_for(job):
    """Wait for a file, so that a test decides when the job ends."""
    Path(job["marker"]).touch()
    for _ in range(30_000):
        if Path(job["file"]).exists():
            return {"pid": os.getpid()}
        threading.Event().wait(0.002)
    raise TimeoutError(job["file"])


def do_exit(job):
    print("these were my last words", file=sys.stderr)
    os._exit(job["code"])


def do_leave(job):
    sys.exit(job["code"])


def do_segfault(job):
    ctypes.string_at(0)


def do_allocate(job):
    kept.append(b"x" * job["bytes"])
    return {"pid": os.getpid()}


def do_describe(job):
    return {
        "environment": dict(os.environ),
        "modules": list(sys.modules),
        "path": sys.path,
        "session": os.getsid(0),
        "ignores_interrupt": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }


if __name__ == "__main__":
    serve(lambda: run)
