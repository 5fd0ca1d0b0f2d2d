"""The pickle of a call, and the large buffers that are left out of it.

It is made with protocol 5: whatever offers its memory (arrays of numpy, and with them the parts of
sparse matrices and data frames, at any depth of the arguments) is left out of it from 16 KiB on.
"""

import io
import pickle
import weakref

import cloudpickle
import numpy as np

from cirrus_runtime.task_format import find_category

_APART = 16 << 10  # bytes, from which on a buffer is left out of the pickle
_KEPT = 1 << 20  # bytes, from which on a contiguous copy of an array is kept


def dump_call(call, copies, sockets=None):
    """Pickle a call, and with it what is to pickle its result.

    Parameters
    ----------
    call : callable
    copies : Copies
    sockets : CallbackSockets, optional
        Those of callbacks, if the workers cannot reach them.

    Returns
    -------
    body : memoryview
        The pickle of ``(dumps, call)``.
    views : list of memoryview
        The buffers that are not in it, in the order in which they are needed.

    Raises
    ------
    PicklingError
    """
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
        _Pickler(file, keep, copies, sockets).dump((cloudpickle.dumps, call))
    except Exception as error:  # whatever a __reduce__ may raise
        raise pickle.PicklingError(
            f"could not pickle the task to send it to the workers: {type(error).__name__}: {error}"
        ) from error
    # Not getbuffer(): from Python 3.13 on, a BytesIO that is collected with its view is an error.
    return memoryview(file.getvalue()), views


class Copies:
    """Contiguous copies of large arrays that are not contiguous, for as long as these live."""

    def __init__(self):
        self._copies = {}

    def of(self, array):
        """Return a plain contiguous array with the elements of an array.

        Parameters
        ----------
        array : ndarray

        Returns
        -------
        ndarray
        """
        plain = np.asarray(array)
        if plain.flags.forc:
            return plain
        if plain.nbytes < _KEPT:
            return np.ascontiguousarray(plain)
        key = id(array)
        known = self._copies.get(key)
        if known is None or known[0]() is not array:
            forget = weakref.ref(array, lambda _: self._copies.pop(key, None))
            known = self._copies[key] = forget, np.ascontiguousarray(plain)
        return known[1]


class _Pickler(cloudpickle.Pickler):
    """Leaves out more buffers than numpy offers, and names the classes of warnings.

    numpy offers the memory of arrays that are contiguous, no subclass, and not of dates. The others
    are copied, or seen as plain arrays (np.memmap), or as integers (dates).

    scikit-learn sends the warning filters of the caller along with every task. One for a class of
    a module that is not on the worker (that of a test, of a notebook's helper) must not fail it.
    """

    def __init__(self, file, keep, copies, sockets):
        super().__init__(file, protocol=5, buffer_callback=keep)
        self._copies = copies
        self._sockets = sockets

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is np.ndarray or kind is np.memmap:
            is_date = obj.dtype.kind in "mM"
            is_offered = kind is np.ndarray and obj.flags.forc and not is_date
            if not is_offered and obj.nbytes >= _APART and not obj.dtype.hasobject:
                plain = self._copies.of(obj)
                if is_date:
                    return np.ndarray.view, (plain.view(np.int64), obj.dtype)
                return plain.__reduce_ex__(5)
        elif isinstance(obj, type) and issubclass(obj, Warning) and _is_by_name(obj):
            return find_category, (obj.__module__, obj.__qualname__)
        elif self._sockets is not None and self._sockets.is_handle(obj):
            return self._sockets.reduce(obj)
        return super().reducer_override(obj)


def _is_by_name(kind):
    """Whether a class is one that others can find by its name."""
    apart = {"__main__", *cloudpickle.list_registry_pickle_by_value()}
    return kind.__module__ not in apart and "<locals>" not in kind.__qualname__
