"""Tasks as a client makes them."""

import base64
import pickle
import secrets

import cloudpickle

from cirrus_runtime import __version__
from cirrus_runtime.keys import RunKeys
from cirrus_runtime.task_format import digest, sign_call
from cirrus_runtime.task_versions import read_versions

KEY = secrets.token_bytes(32)
RUN = "abc"
OUT_OF_BAND = 1000  # bytes; smaller arrays stay in the pickle


def make_job(store, call, *, key=KEY, inline=32768, **fields):
    """Return the job of a call, with its arrays in the store."""
    arrays = []

    def take(buffer):
        if buffer.raw().nbytes < OUT_OF_BAND:
            return True
        arrays.append(buffer.raw())
        return False

    body = cloudpickle.dumps((cloudpickle.dumps, call), protocol=5, buffer_callback=take)
    for array in arrays:
        store.put(RunKeys(RUN).buffer(digest(array)), array)
    if len(body) > inline:
        store.put(RunKeys(RUN).call(fields.get("task", 0)), body)
    job = {
        "kind": "task",
        "runtime": __version__,
        "run_id": RUN,
        "task": 0,
        "attempt": 0,
        "store_url": store.url,
        "key": key.hex(),
        "versions": read_versions(),
        "body": base64.b64encode(body).decode() if len(body) <= inline else None,
        "digest": digest(body),
        "buffers": [[digest(array), array.nbytes] for array in arrays],
        "inline_bytes": inline,
        "copy_below": 0,
        "threads": None,
        "deadline": None,
    } | fields
    return {"signature": sign_call(key, job)} | job


def data_of(result, store):
    """Return what a result holds."""
    if result["data"] is not None:
        data = base64.b64decode(result["data"])
    else:
        data = store.get(RunKeys(RUN).result(result["task"], result["attempt"]))
    assert digest(data) == result["digest"] and len(data) == result["nbytes"]
    return pickle.loads(data)
