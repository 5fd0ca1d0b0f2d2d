"""READ FIRST for tasks: a task is a pickled call, and what comes back is the pickle of its value.

The path of one, in this order, and nothing is unpickled before all of the first three are done:

1. versions of both sides (``task_versions.py``), for a difference is told best by its name;
2. the signature of the job (``task_format.py``): the client of this run, and nobody else, has made
   it;
3. the digests of the call, and of the arrays that lie beside it (``task_buffers.py``);
4. the call (``task_call.py``);
5. its value, or its exception, as a signed pickle: in the answer if it is small, else in the store.

What the call raises is a result. What is wrong with the job itself is raised here: TaskError.
"""

import base64
import math
import os
import pickle
import threading
import time

from .errors import StoreError, TaskError
from .keys import RunKeys
from .store import keep_store
from .task_buffers import DiskBuffers, MappedBuffers
from .task_call import describe, perform
from .task_format import digest, is_signed, sign_call, sign_result
from .task_relay import relays
from .task_versions import check_versions

_LOOK_SECONDS = 2.0  # between two looks whether the client still waits
_TOO_LONG, _UNWANTED = 75, 76  # exit codes of a function that ends itself in a task
_GONE = {"403", "404", "NoSuchKey", "AccessDenied"}
_FIELDS = {
    "run_id": str,
    "task": int,
    "attempt": int,
    "store_url": str,
    "digest": str,
    "buffers": list,
    "inline_bytes": int,
}

_keys = {}
_buffers = MappedBuffers()


def run_task(job, store=None, watch=None):
    """Run a task.

    Parameters
    ----------
    job : dict
        What the client says of it: ``run_id``, ``task``, ``attempt``, ``store_url``, ``key``,
        ``versions``, ``runtime``, ``body``, ``digest``, ``buffers``, ``signature``,
        ``inline_bytes``, ``copy_below`` (arrays of fewer bytes can be written to) and ``threads``.
    store : Store, optional
        By default the one of the job's url.
    watch : object, optional
        Its ``look()`` is called before a result goes to the store.

    Returns
    -------
    dict
        ``outcome``: ``"value"`` or ``"error"``; ``data``: the pickle of the value or the exception
        in base64, or None if it lies in the store or could not be made; ``digest`` and ``nbytes``
        of it; ``messages``: how many of callbacks there are, in a second pickle behind it;
        ``error``: type, message and traceback; ``warnings``, ``stdout``, ``stderr``,
        ``seconds``; ``gets`` and ``puts``: requests to S3; ``signature``.

    Raises
    ------
    TaskError
        The client is of another version, the job is not signed by the run's key, or what it names
        is damaged or cannot be unpickled here.
    StoreError
        The store cannot be read or written.
    """
    _check(job)
    store = store or keep_store(job["store_url"])
    before = dict(store.requests)
    key = _find_key(job, store)
    if not is_signed(job.get("signature"), sign_call(key, job)):
        raise TaskError(
            "the task is not signed by the key of its run, and is not unpickled: somebody else "
            "has made it or changed it"
        )
    dump, said = _perform(job, store)
    result, data = _pack(dump, said, relays.take(), job["inline_bytes"])
    result |= {name: job[name] for name in ("run_id", "task", "attempt")}
    if data is not None:
        if watch is not None:  # nobody would remove what comes after the end of the run
            watch.look()
        store.put(RunKeys(job["run_id"]).result(job["task"], job["attempt"]), data)
    for kind in ("get", "put"):
        result[f"{kind}s"] = store.requests.get(kind, 0) - before.get(kind, 0)
    result["signature"] = sign_result(key, result)
    return result


def handle(event, context):
    """Run a task on AWS Lambda: one invocation is one attempt.

    Parameters
    ----------
    event : dict
        The job, without the key of the run: that is an object of the run in the store.
        ``disk_bytes``: how much of this function's disk arrays may take. ``deadline``: seconds
        after which the function ends itself, or None.
    context : object
        Lambda's, which ends the function at its own time limit.

    Returns
    -------
    dict
        What :func:`run_task` returns.

    Raises
    ------
    TaskError, StoreError
        As :func:`run_task`.
    """
    global _buffers
    _check(event)
    if not isinstance(_buffers, DiskBuffers):
        _buffers = DiskBuffers(0)
    _buffers.limit = int(event.get("disk_bytes") or 0)
    os.environ.setdefault("CIRRUS_JOURNAL", "off")  # of fits in tasks: nobody reads it here
    store = keep_store(event["store_url"])
    with _Watch(store, event) as watch:
        return run_task(event, store, watch)


class _Watch:
    """Ends this process in the middle of a task that nobody waits for any more.

    An invocation cannot be ended from outside, and costs until it ends. So a thread looks now and
    then whether the run's key is still in the store, and at the time.
    """

    def __init__(self, store, job):
        self._store = store
        self._name = RunKeys(job["run_id"]).task_key
        seconds = job.get("deadline")
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="cirrus-watch", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        self._thread.join()

    def _serve(self):
        while not self._over.wait(min(_LOOK_SECONDS, max(0.0, self._deadline - time.monotonic()))):
            if time.monotonic() >= self._deadline:
                _leave(_TOO_LONG, "the task took longer than it may")
            self.look()

    def look(self):
        """Look whether the run's key is there, and end this process if not."""
        try:
            gone = not self._store.exists(self._name)
        except StoreError as error:
            answer = getattr(error.__cause__, "response", None) or {}
            # 403: absent, for who may not list the bucket. It was read a moment ago.
            gone = answer.get("Error", {}).get("Code") in _GONE
        if gone and not self._over.is_set():
            _leave(_UNWANTED, "the client does not wait for this task any more")


def _leave(code, why):
    """End this process at once."""
    os.write(2, f"cirrus: {why}; this function ends itself\n".encode())
    os._exit(code)


def _check(job):
    """Refuse what is no task, or one of a client of other versions."""
    if not isinstance(job, dict) or job.get("kind") != "task":
        raise TaskError("this function runs tasks of sklearn_cirrus, and the event is none")
    check_versions(job)
    for name, kind in _FIELDS.items():
        if not isinstance(job.get(name), kind) or isinstance(job[name], bool):
            raise TaskError(f"the task has no {name} of type {kind.__name__}")


def _find_key(job, store):
    """Return the key of the run, from the job or from the store."""
    if job.get("key") is not None:
        return bytes.fromhex(job["key"])
    place = job["store_url"], job["run_id"]
    if place not in _keys:
        _keys.clear()
        _keys[place] = bytes(store.get(RunKeys(job["run_id"]).task_key))
    return _keys[place]


def _perform(job, store):
    """Unpickle a task whose signature is right, and run it; return its dump and what it said."""
    keys = RunKeys(job["run_id"])
    if job.get("body") is not None:
        body = base64.b64decode(job["body"])
    else:
        body = store.get(keys.call(job["task"]))
    if digest(body) != job["digest"]:
        raise TaskError(
            "the task's call is not the one that was signed: it was damaged or replaced; run the "
            "search again"
        )
    arrays = {
        hashed: _buffers.get(store, keys.buffer(hashed), hashed, nbytes)
        for hashed, nbytes in job["buffers"]
    }
    small = job.get("copy_below", 0)
    relays.begin()
    try:
        dump, call = pickle.loads(
            body,
            # Each of the small ones is the task's own, to write to.
            buffers=[
                bytearray(arrays[hashed]) if nbytes < small else arrays[hashed]
                for hashed, nbytes in job["buffers"]
            ],
        )
    except MemoryError:
        raise
    except Exception as error:  # a pickle may raise whatever its classes do
        raise TaskError(
            f"the task cannot be unpickled by the worker: {type(error).__name__}: {error}. All "
            "modules that it uses must be importable there: on AWS Lambda those of the function's "
            "bundle, on this machine those on sys.path; what is defined in a notebook or script "
            "travels along"
        ) from error
    return dump, perform(call, f"{job['run_id']}/{job['task']}", job.get("threads"))


def _pack(dump, said, messages, inline_bytes):
    """Return the result, and what is to go to the store beside it, if it is large: its pickles."""
    data, error = None, said.error
    if error is None:
        try:
            data = dump(said.value, protocol=5)
        except MemoryError as full:
            error = full
        except Exception as refused:
            kind = type(said.value)
            error = pickle.PicklingError(
                f"the task's result of type {kind.__module__}.{kind.__qualname__} cannot be "
                f"pickled: {type(refused).__name__}: {refused}"
            )
            error.__cause__ = refused
    told = None
    if error is not None:
        told = describe(error)
        data = _dump_error(dump, error)
    if data is None:
        messages = []
    elif messages:
        data += pickle.dumps(messages, protocol=5)
    result = {
        "outcome": "value" if error is None else "error",
        "data": None,
        "digest": None if data is None else digest(data),
        "nbytes": 0 if data is None else len(data),
        "messages": len(messages),
        "error": told,
        **{name: getattr(said, name) for name in ("warnings", "stdout", "stderr", "seconds")},
    }
    if data is not None and len(data) <= inline_bytes:
        result["data"], data = base64.b64encode(data).decode(), None
    return result, data


def _dump_error(dump, error):
    """Return the pickle of an exception, or None if there is none that can be read again."""
    try:
        data = dump(error.with_traceback(None), protocol=5)
        return data if type(pickle.loads(data)) is type(error) else None
    except Exception:  # whatever its class does when it is pickled or made
        return None
