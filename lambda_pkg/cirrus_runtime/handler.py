"""Entry of a worker on AWS Lambda: one invocation is one worker's life.

The event says where the job lies and which worker this is, and holds no secret: whoever reads
events (logs, traces, queues) learns nothing by them. The job, with the url of the server, is an
object of the run in the store. Nothing is written: what a worker has to say goes to the board.

What one invocation has opened and the next can use stays open: the store, with its client of S3.
Connections to the server are made anew, since each run has a user and a password of its own.
"""

import json
import time

from . import __version__
from .errors import CirrusError
from .store import keep_store
from .worker import run_worker

_MARGIN = 1.0  # seconds between the worker's deadline and Lambda's, to say what was done
_OWN_BYTES = 192 << 20  # of the memory: Python, libraries and the blocks that are in use
_FIELDS = {"store_url": str, "job": str, "place": int, "generation": int, "runtime": str}


def handle(event, context):
    """Run a worker until its run ends or the time of the invocation is nearly over.

    Parameters
    ----------
    event : dict
        ``store_url``, ``job`` (name of an object there), ``place`` and ``generation`` of the
        worker, and ``runtime``: the version of the client's runtime.
    context : object
        Lambda's.

    Returns
    -------
    dict
        What ``run_worker`` returns; ``gets`` and ``puts``: requests to S3; ``seconds``.

    Raises
    ------
    CirrusError
        If the event is not one of ours, or of another version.
    """
    begin = time.monotonic()
    _check(event)
    store = keep_store(event["store_url"])
    before = dict(store.requests)
    job = json.loads(bytes(store.get(event["job"])))
    job |= {
        "worker": event["place"],
        "generation": event["generation"],
        "deadline": time.time() + context.get_remaining_time_in_millis() / 1000 - _MARGIN,
        "buffer_bytes": min(job["buffer_bytes"], _room(int(context.memory_limit_in_mb))),
    }
    result = run_worker(job)
    requests = {f"{kind}s": store.requests[kind] - before.get(kind, 0) for kind in store.requests}
    return result | requests | {"seconds": time.monotonic() - begin}


def _check(event):
    """Refuse an event that the client of this very version did not make."""
    version = event.get("runtime") if isinstance(event, dict) else None
    if isinstance(version, str) and version != __version__:
        raise CirrusError(
            f"the client's runtime is {version} and this function's {__version__}: run "
            "`sklearn-cirrus deploy` with the client's version, or install the function's"
        )
    for name, kind in _FIELDS.items():
        value = event.get(name) if isinstance(event, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CirrusError(
                f"this function runs workers of sklearn_cirrus, and the event has no {name} of "
                f"type {kind.__name__}"
            )


def _room(megabytes):
    """Return how many bytes of blocks a worker of this memory may keep for later epochs."""
    return max(0, ((megabytes << 20) - _OWN_BYTES) // 2)
