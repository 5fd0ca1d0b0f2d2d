"""What is sent to a worker: a call as a signed pickle, its large buffers apart.

The pickle is made by :mod:`.pickler`, which leaves large buffers out of it; those are put into the
store by :mod:`.buffers`.
"""

import base64

from cirrus_runtime import __version__
from cirrus_runtime.task_format import digest, sign_call
from cirrus_runtime.task_versions import read_versions

from .pickler import Copies, dump_call

# A pipe takes 64 KiB at once: with this, a job is never half sent to a worker that does not read.
_INLINE = 32 << 10


class Packer:
    """Makes the jobs of a run.

    Parameters
    ----------
    store : Store
    keys : RunKeys
    key : bytes
        Signs what is sent.
    buffers : Buffers
    copy_below : int
        Bytes; an array smaller than that is the task's own, to write to. Larger ones are shared
        and read-only.
    sockets : CallbackSockets or None
        Those of callbacks, if the workers cannot reach them.

    Attributes
    ----------
    put_bytes : int
        Bytes of calls that were put into the store, without those of the buffers.
    sent_bytes : int
        Bytes of calls that went along with their job.
    """

    def __init__(self, store, keys, key, buffers, copy_below, sockets=None):
        self._store = store
        self._keys = keys
        self._key = key
        self._buffers = buffers
        self._copy_below = copy_below
        self._copies = Copies()
        self._sockets = sockets
        self._versions = read_versions()
        self.put_bytes = self.sent_bytes = 0

    def pack(self, task, call):
        """Make the job of a call.

        Parameters
        ----------
        task : int
        call : callable

        Returns
        -------
        dict

        Raises
        ------
        PicklingError
            The call or something in it cannot be pickled.
        StoreError
        """
        body, views = dump_call(call, self._copies, self._sockets)
        entries = []
        try:
            for view in views:
                entries.append(self._buffers.add(view))
            is_inline = body.nbytes <= _INLINE
            if is_inline:
                self.sent_bytes += body.nbytes
            else:
                self._store.put(self._keys.call(task), body)
                self.put_bytes += body.nbytes
        except BaseException:
            self._buffers.release(entries)
            raise
        job = {
            "kind": "task",
            "runtime": __version__,
            "run_id": self._keys.run_id,
            "task": task,
            "attempt": 0,
            "versions": self._versions,
            "body": base64.b64encode(body).decode() if is_inline else None,
            "digest": digest(body),
            "buffers": entries,
            "copy_below": self._copy_below,
            "inline_bytes": _INLINE,
        }
        return job | {"signature": sign_call(self._key, job)}

    def discard(self, job):
        """Free what a job has in the store: its task is done."""
        self._buffers.release(job["buffers"])
        if job["body"] is None:
            self._store.delete([self._keys.call(job["task"])])
