"""Entry of a local worker process: jobs in, results out, a line of JSON each.

A job is a JSON object on standard input, a result one on the descriptor that was standard output
at the start; after that, standard output is standard error, so that nothing printed by a library
can stand between two results. The end of standard input means that the parent is gone or done,
and ends this process at once, in the middle of a job too.

A result is ``{"ok": true, "report": {...}, "rss": bytes}`` or ``{"ok": false, "type": ...,
"message": ..., "traceback": ..., "rss": bytes}``.
"""

import faulthandler
import json
import os
import queue
import resource
import sys
import threading
import traceback
from collections.abc import Callable


def serve(load: Callable[[], Callable[[dict], dict]]) -> None:
    """Run the jobs that come in, one after the other, until standard input ends.

    Parameters
    ----------
    load : callable
        Called once, with the parent already watched; gives the function that runs a job: a
        dict that came as JSON in, a dict that goes as JSON out.
    """
    jobs, results = _take_streams()
    faulthandler.enable()  # a crash in C leaves its trace in the parent's log
    waiting = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs, waiting), daemon=True).start()
    run = load()
    while True:
        line = json.dumps(_perform(run, waiting.get())).encode() + b"\n"
        while line:
            line = line[os.write(results, line) :]


def _take_streams() -> tuple[int, int]:
    """Move the protocol to private descriptors and put harmless ones in place of 0 and 1."""
    jobs, results = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)
    return jobs, results


def _read_jobs(descriptor: int, waiting: queue.SimpleQueue) -> None:
    """Hand on the jobs; end the process with the stream."""
    with open(descriptor, "rb") as lines:
        for line in lines:
            waiting.put(line)
        os._exit(0)


def _perform(run: Callable[[dict], dict], line: bytes) -> dict:
    """Run one job and describe how it ended."""
    try:
        result = {"ok": True, "report": run(json.loads(line))}
        json.dumps(result)
    # Whatever a job raises is its result here; SystemExit and the like end the process.
    except Exception as error:
        result = {
            "ok": False,
            "type": type(error).__name__,
            "message": str(error),
            "traceback": traceback.format_exc(),
        }
    return result | {"rss": _resident_bytes()}


def _resident_bytes() -> int:
    """Measure the memory of this process: now on Linux, without files, at its peak elsewhere."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _, resident, shared, *_ = file.read().split()
            return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _load_run_worker() -> Callable[[dict], dict]:
    from .worker import run_worker

    return run_worker


if __name__ == "__main__":
    serve(_load_run_worker)
