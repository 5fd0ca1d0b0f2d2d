"""What is sent to a worker: a call as a signed pickle, its large buffers apart.

The pickle is made with protocol 5: whatever offers its memory (arrays of numpy, and with them the
parts of sparse matrices and data frames, at any depth of the arguments) is left out of it from 16
KiB on, and put into the store by :mod:`.buffers`.
"""

import base64
import io
import pickle
import platform
from importlib.metadata import version

import cloudpickle

from cirrus_runtime import __version__
from cirrus_runtime.task_format import digest, find_category, sign_call

_APART = 16 << 10  # bytes, from which on a buffer is left out of the pickle
# A pipe takes 64 KiB at once: with this, a job is never half sent to a worker that does not read.
_INLINE = 32 << 10
_LIBRARIES = ("numpy", "scikit-learn", "joblib", "cloudpickle")


class _Pickler(cloudpickle.Pickler):
    """Names the classes of warnings, so that a worker that lacks one can do without it.

    scikit-learn sends the warning filters of the caller along with every task. One for a class of
    a module that is not on the worker (that of a test, of a notebook's helper) must not fail it.
    """

    def reducer_override(self, obj):
        if isinstance(obj, type) and issubclass(obj, Warning) and _is_by_name(obj):
            return find_category, (obj.__module__, obj.__qualname__)
        return super().reducer_override(obj)


def _is_by_name(kind):
    """Whether a class is one that others can find by its name."""
    apart = {"__main__", *cloudpickle.list_registry_pickle_by_value()}
    return kind.__module__ not in apart and "<locals>" not in kind.__qualname__


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

    Attributes
    ----------
    put_bytes : int
        Bytes of calls that were put into the store, without those of the buffers.
    sent_bytes : int
        Bytes of calls that went along with their job.
    """

    def __init__(self, store, keys, key, buffers, copy_below):
        self._store = store
        self._keys = keys
        self._key = key
        self._buffers = buffers
        self._copy_below = copy_below
        self._versions = versions()
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
        body, views = _dump(call)
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


def versions():
    """Return the versions that must agree between here and a worker, by name."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {
        name: version(name) for name in _LIBRARIES
    }


def _dump(call):
    """Return the pickle of a call, and views of the buffers that are left out of it, in order."""
    file, views = io.BytesIO(), []

    def keep(buffer):
        try:
            view = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if view.nbytes < _APART:
            return True
        views.append(view)
        return False

    try:
        _Pickler(file, protocol=5, buffer_callback=keep).dump((cloudpickle.dumps, call))
    except Exception as error:  # whatever a __reduce__ may raise
        raise pickle.PicklingError(
            f"could not pickle the task to send it to the workers: {type(error).__name__}: {error}"
        ) from error
    return file.getbuffer(), views
