"""The compiled kernels, loaded with ctypes.

One shared library, ``libcirrus_kernels``, holds two groups of plain C functions:
the parameter table and its update rules (``model.h``: :class:`Model` here) and the
learning kernels of the workers (``logistic.h``: :mod:`cirrus_runtime.logistic`).
ctypes releases the GIL during a call, so a prefetch thread really runs beside.
"""

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

from .errors import KernelError
from .model_spec import SCALE_SLOT

_ABI = 8
_SUFFIX = {"darwin": ".dylib"}.get(sys.platform, ".so")


class SpecStruct(ctypes.Structure):
    """``cirrus_spec`` of model.h, field by field."""

    _fields_ = [
        ("rows", c_uint32),
        ("width", c_uint32),
        ("optimizer", c_uint32),
        ("penalized", c_uint32),
        ("scaled", c_uint32),
        ("varied", c_uint32),
        ("l1", c_float),
        ("l2", c_float),
        ("beta1", c_float),
        ("beta2", c_float),
        ("eps", c_float),
        ("power_t", c_float),
    ]


class ModelStruct(ctypes.Structure):
    """``cirrus_model`` of model.h, field by field; only read here."""

    _fields_ = [
        ("spec", SpecStruct),
        ("base", c_uint64),
        ("step", c_uint32),
        ("slots", c_uint32),
        ("stamp", c_uint32),
        ("stride", c_uint32),
        ("rate", c_float),
        ("table", c_void_p),
        ("columns", c_void_p),
    ]


def _load():
    path = os.path.join(os.path.dirname(__file__), "libcirrus_kernels" + _SUFFIX)
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise KernelError(
            f"the compiled kernels cannot be loaded from {path} ({error}); "
            "reinstall sklearn-cirrus for this platform"
        ) from error
    library.cirrus_abi.restype = c_int
    if library.cirrus_abi() != _ABI:
        raise KernelError(
            f"{path} has ABI {library.cirrus_abi()}, this version needs {_ABI}; "
            "reinstall sklearn-cirrus"
        )
    return library


library = _load()


def declare(name, restype, *argtypes):
    """Give a function of the library its C signature and return it."""
    function = getattr(library, name)
    function.restype = restype
    function.argtypes = argtypes
    return function


_MODEL = POINTER(ModelStruct)
_create = declare("cirrus_create", _MODEL, POINTER(SpecStruct), POINTER(c_int))
_free = declare("cirrus_free", None, _MODEL)
_check_ids = declare("cirrus_check_ids", c_int, _MODEL, c_void_p, c_size_t)
_pull = declare("cirrus_pull", c_int, _MODEL, c_void_p, c_size_t, c_void_p)
_push = declare("cirrus_push", c_int, _MODEL, c_void_p, c_void_p, c_size_t, c_float)
_dump = declare("cirrus_dump", c_int, _MODEL, c_uint32, c_uint32, c_uint32, c_void_p)
_load_slot = declare("cirrus_load", c_int, _MODEL, c_uint32, c_uint32, c_uint32, c_void_p)
_norms = declare("cirrus_norms", c_int, _MODEL, c_uint32, c_uint32, c_void_p)
_fill = declare("cirrus_fill", c_int, _MODEL, c_uint32, c_uint32, c_uint32, c_float)
_steps = declare("cirrus_steps", c_uint64, _MODEL)
_set_clock = declare("cirrus_set_clock", c_int, _MODEL, c_uint64, c_float)
_status_text = declare("cirrus_status_text", c_char_p, c_int)
_optimizer_by_name = declare("cirrus_optimizer_by_name", c_int, c_char_p, c_size_t)


class StatusError(KernelError):
    """A kernel refused its arguments; the model is as it was.

    Attributes
    ----------
    status : int
        A ``cirrus_status`` of model.h.
    """

    def __init__(self, status):
        super().__init__(_status_text(status).decode())
        self.status = status


def _check(status):
    """Raise unless a kernel succeeded."""
    if status:
        raise StatusError(status)


class Model:
    """A parameter table in the memory of this process. Not for two threads at once.

    Arrays are C-contiguous: ids uint32, all else float32.

    Parameters
    ----------
    spec : ModelSpec
    steps : int
        Steps the model has seen already.
    rate : float
        Learning rate of the last of them.

    Raises
    ------
    StatusError
        If the specification or the clock is out of range, or memory does not suffice; and by
        every method below whose arguments the kernel refuses.
    """

    def __init__(self, spec, steps=0, rate=0.0):
        name = spec.optimizer.encode()
        struct = SpecStruct(
            rows=spec.rows,
            width=spec.width,
            optimizer=_optimizer_by_name(name, len(name)),
            penalized=spec.penalized,
            scaled=int(spec.scaled),
            varied=int(spec.varied),
            l1=spec.l1,
            l2=spec.l2,
            beta1=spec.beta1,
            beta2=spec.beta2,
            eps=spec.eps,
            power_t=spec.power_t,
        )
        status = c_int()
        self._model = _create(ctypes.byref(struct), ctypes.byref(status))
        _check(status.value)
        self.spec = spec
        _check(_set_clock(self._model, steps, rate))

    def __del__(self):
        if getattr(self, "_model", None):
            _free(self._model)
            self._model = None

    @property
    def steps(self):
        """Pushes the model has seen."""
        return _steps(self._model)

    @property
    def rate(self):
        """Learning rate of the last push."""
        return self._model.contents.rate

    @property
    def nbytes(self):
        """Bytes of the table."""
        return self.spec.rows * self._model.contents.stride * 4

    def check_ids(self, ids):
        """Raise unless a pull of these ids would succeed."""
        _check(_check_ids(self._model, ids.ctypes.data, ids.size))

    def pull(self, ids):
        """Return the rows of ``ids`` as of now, float32 of n * width values."""
        out = np.empty(ids.size * self.spec.width, np.float32)
        _check(_pull(self._model, ids.ctypes.data, ids.size, out.ctypes.data))
        return out

    def push(self, ids, grads, lr):
        """Apply one step: ``grads`` holds n * width values, ``lr`` is its learning rate."""
        _check(_push(self._model, ids.ctypes.data, grads.ctypes.data, ids.size, lr))

    def dump(self, slot, first, count):
        """Return rows ``first .. first + count - 1`` of a slot (a number), as of now."""
        width = 1 if slot == SCALE_SLOT else self.spec.width
        out = np.empty(count * width, np.float32)
        _check(_dump(self._model, slot, first, count, out.ctypes.data))
        return out

    def load(self, slot, first, values):
        """Set rows from ``first`` on of a slot (a number)."""
        width = 1 if slot == SCALE_SLOT else self.spec.width
        _check(_load_slot(self._model, slot, first, values.size // width, values.ctypes.data))

    def fill(self, slot, first, count, value):
        """Set rows of a slot (a number) to one value."""
        _check(_fill(self._model, slot, first, count, value))

    def norms(self, first, count):
        """Return sums over rows of weights, float64: of squares by column, then of sizes."""
        out = np.empty(2 * self.spec.width)
        _check(_norms(self._model, first, count, out.ctypes.data))
        return out
