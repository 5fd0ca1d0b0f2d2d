"""What the server must answer: every command interpreted here, on the kernels of the worker.

The same model.c, compiled without sanitizers and called through Python, holds the tables; the
parsing, the order of the checks and the tags are written out again from docs/commands.md.
"""

import ctypes
import re
from types import SimpleNamespace

import numpy as np

from cirrus_runtime.model_spec import COLUMN_ROWS, COLUMN_SLOT, SLOTS

from .tables import RAW_SLOT, Refused, Served, call_kernel, demand

BIG = 64 << 20  # bytes: whether memory suffices for more, nobody can foretell
MAX_STEP, MAX_COUNT = 0x7FFFFFF0, 2**53
_MAX_REPLY = 512 << 20
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_DECIMAL = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_OPTIONS = dict(
    ROWS=1, WIDTH=1, OPTIMIZER=1, PENALIZED=1, L1=1, L2=1, BETA1=1, BETA2=1, EPS=1, POWER_T=1
)
_OPTIONS |= dict(SCALED=0, VARIED=0, CLOCK=2, FOLDED=1)
_strtod = ctypes.CDLL(None).strtod
_strtod.restype, _strtod.argtypes = ctypes.c_double, (ctypes.c_char_p, ctypes.c_void_p)


class Unforeseeable(Exception):
    """The answer depends on the memory there is: OOM, or success, which must then be undone."""


class Shadow:
    """All keys of a server, as they must be."""

    def __init__(self):
        self.models = {}
        self.strings = {}

    def answer(self, argv, word):
        """Return what a command must answer, and do it.

        Parameters
        ----------
        argv : list of bytes
        word : str or None
            First word of the error that the server gave. Asked only where a number is written in a
            way that servers may read or not (``0x1p3``, ``+1``).

        Raises
        ------
        Refused, Unforeseeable
        """
        self._word = word
        name = argv[0].upper().decode().removeprefix("CIRRUS.")
        return getattr(self, "_" + name.lower())(argv)

    def copy(self, source, target):
        """Copy a model as COPY and RESTORE do."""
        old = self.models[source]
        new = self.models[target] = Served(old.model.spec)
        for name in ("base", "step", "rate"):
            setattr(new.struct, name, getattr(old.struct, name))
        new.raw()[:] = old.raw()
        if old.model.spec.varied:
            new.model.load(COLUMN_SLOT, 0, old.model.dump(COLUMN_SLOT, 0, COLUMN_ROWS))
        new.tags = dict(old.tags)

    # ---- The commands

    def _create(self, argv):
        demand(len(argv) >= 2, "ERR")
        spec, steps, folded, rate = self._creation(argv)
        if argv[1] in self.models:
            raise Refused("MODELEXISTS")
        demand(argv[1] not in self.strings, "WRONGTYPE")
        stride = spec.width * len(SLOTS[spec.optimizer]) + 1 + spec.scaled
        if 4 * spec.rows * stride + 12 * spec.width * spec.varied > BIG:
            raise Unforeseeable
        served = self.models[argv[1]] = Served(spec)
        served.struct.base, served.struct.step = folded, steps - folded
        served.struct.rate = rate
        return b"OK"

    def _creation(self, argv):
        """Return the specification that the options describe, and the clock."""
        given = {}
        fields = dict(l1=0.0, l2=0.0, beta1=0.9, beta2=0.999, eps=1e-8, power_t=0.5)
        fields |= dict(scaled=0, varied=0)
        at = 2
        while at < len(argv):
            name = argv[at].upper().decode("latin-1")
            demand(name in _OPTIONS, "BADARG")
            demand(name not in given, "BADARG")
            demand(len(argv) - at > _OPTIONS[name], "BADARG")
            values = argv[at + 1 : at + 1 + _OPTIONS[name]]
            given[name] = self._option(name, values)
            at += 1 + _OPTIONS[name]
        for name in ("ROWS", "WIDTH", "OPTIMIZER"):
            demand(name in given, "BADARG")
        steps, rate = given.pop("CLOCK", (0, np.float32(0)))
        folded = given.pop("FOLDED", steps)
        spec = SimpleNamespace(**fields | {name.lower(): value for name, value in given.items()})
        if "PENALIZED" not in given:
            spec.penalized = spec.rows
        demand(spec.penalized <= spec.rows, "BADVALUE")
        demand(folded <= steps and steps - folded <= MAX_STEP, "BADVALUE")
        return spec, steps, folded, rate

    def _option(self, name, values):
        """Return the value of an option of CREATE."""
        if name in ("SCALED", "VARIED"):
            return 1
        if name == "OPTIMIZER":
            optimizer = values[0].decode("latin-1")
            demand(optimizer in SLOTS, "BADVALUE")
            return optimizer
        if name == "CLOCK":
            return _count(values[0], MAX_COUNT), self._number(values[1])
        if name in ("ROWS", "WIDTH"):
            count = _count(values[0], MAX_STEP if name == "ROWS" else 65536)
            demand(count > 0, "BADVALUE")
            return count
        if name in ("PENALIZED", "FOLDED"):
            return _count(values[0], MAX_STEP if name == "PENALIZED" else MAX_COUNT)
        value = self._number(values[0])
        demand(not name.startswith("BETA") or value < 1, "BADVALUE")
        demand(name != "POWER_T" or 0.5 <= value <= 1, "BADVALUE")
        return float(value)

    def _pull(self, argv):
        demand(len(argv) == 3, "ERR")
        ids = _ids(argv[2])
        served = self._open(argv[1])
        _check_reply(4 * served.width * ids.size)
        return call_kernel(served.model.pull, ids).tobytes()

    def _push(self, argv):
        demand(len(argv) >= 5, "ERR")
        push = self._parse_push(argv, 5)
        return self._open(argv[1]).push(*push)

    def _step(self, argv):
        demand(len(argv) >= 6, "ERR")
        push, pull = self._parse_push(argv, 6), _ids(argv[5])
        served = self._open(argv[1])
        _check_reply(4 * served.width * pull.size)
        call_kernel(served.model.check_ids, pull)
        served.push(*push)
        return served.model.pull(pull).tobytes()

    def _parse_push(self, argv, tag_at):
        """Return (rate, ids, gradients as bytes, tag or None)."""
        rate = self._number(argv[2])
        ids = _ids(argv[3])
        if len(argv) <= tag_at:
            return rate, ids, argv[4], None
        demand(len(argv) == tag_at + 4 and argv[tag_at].upper() == b"TAG", "BADARG")
        return rate, ids, argv[4], _read_tag(argv[tag_at + 1 :])

    def _dump(self, argv):
        demand(len(argv) == 5, "ERR")
        slot, first = _count(argv[2], 0xFFFF), _count(argv[3], 2**32 - 1)
        count = _count(argv[4], 2**32 - 1)
        served = self._open(argv[1])
        demand(first + count <= served.rows(slot), "BADVALUE")
        _check_reply(count * served.slot_bytes(slot))
        if slot == RAW_SLOT:
            size = served.slot_bytes(slot)
            return served.raw()[first * size : (first + count) * size].tobytes()
        return call_kernel(served.model.dump, slot, first, count).tobytes()

    def _load(self, argv):
        demand(len(argv) == 5, "ERR")
        slot, first = _count(argv[2], 0xFFFF), _count(argv[3], 2**32 - 1)
        served, values = self._open(argv[1]), argv[4]
        size = served.slot_bytes(slot)
        demand(len(values) % size == 0, "BADLENGTH")
        demand(first + len(values) // size <= served.rows(slot), "BADVALUE")
        if slot == RAW_SLOT:
            demand(served.accepts(values), "BADVALUE")
            served.raw()[first * size : first * size + len(values)] = np.frombuffer(
                values, np.uint8
            )
        else:
            call_kernel(served.model.load, slot, first, np.frombuffer(values, np.float32))
        return b"OK"

    def _fill(self, argv):
        demand(len(argv) == 6, "ERR")
        slot, first = _count(argv[2], 0xFFFF), _count(argv[3], 2**32 - 1)
        count = _count(argv[4], 2**32 - 1)
        value = self._number(argv[5])
        call_kernel(self._open(argv[1]).model.fill, slot, first, count, value)
        return b"OK"

    def _norms(self, argv):
        demand(len(argv) == 4, "ERR")
        first, count = _count(argv[2], 2**32 - 1), _count(argv[3], 2**32 - 1)
        return call_kernel(self._open(argv[1]).model.norms, first, count).tobytes()

    def _tag(self, argv):
        demand(len(argv) == 5, "ERR")
        worker, *last = _read_tag(argv[2:])
        self._open(argv[1]).tags[worker] = tuple(last)
        return b"OK"

    def _info(self, argv):
        demand(len(argv) == 2, "ERR")
        served = self._open(argv[1])
        spec, struct = served.model.spec, served.struct.spec
        values = {"rows": spec.rows, "width": spec.width, "optimizer": spec.optimizer.encode()}
        values["penalized"] = spec.penalized
        for name in ("l1", "l2", "beta1", "beta2", "eps", "power_t"):
            values[name] = b"%.9g" % getattr(struct, name)
        values |= {"scaled": spec.scaled, "varied": spec.varied, "steps": served.model.steps}
        values |= {"rate": b"%.9g" % served.model.rate, "state_slots": served.struct.slots}
        return [part for name, value in values.items() for part in (name.encode(), value)]

    def _gather(self, argv):
        demand(len(argv) == 4, "ERR")
        width = _count(argv[2], 65536)
        demand(width > 0, "BADVALUE")
        ids = _ids(argv[3])
        demand(argv[1] in self.models or argv[1] in self.strings, "NOMODEL")
        demand(argv[1] in self.strings, "WRONGTYPE")
        vector = np.frombuffer(self.strings[argv[1]])
        demand(vector.size % width == 0, "BADLENGTH")
        _check_reply(8 * width * ids.size)
        demand((ids < vector.size // width).all(), "BADID")
        return vector.reshape(-1, width)[ids].tobytes()

    # ---- Arguments

    def _open(self, key):
        """Return the model at a key."""
        demand(key in self.models or key in self.strings, "NOMODEL")
        demand(key in self.models, "WRONGTYPE")
        return self.models[key]

    def _number(self, text):
        """Return a float32 that is finite and not negative."""
        demand(text != b"" and not text[:1].isspace() and b"\0" not in text, "BADVALUE")
        sure = _DECIMAL.fullmatch(text) is not None
        if not sure:
            demand(self._word != "BADVALUE", "BADVALUE")
        value = _strtod(text, None)
        with np.errstate(over="ignore"):
            number = np.float32(value)
        demand(0.0 <= number < np.inf, "BADVALUE")
        return number


def _check_reply(size):
    """Refuse a reply that is too long."""
    demand(size <= _MAX_REPLY, "BADLENGTH")
    if size > BIG:
        raise Unforeseeable


def _count(text, most):
    """Return an integer from 0 to most."""
    demand(_INTEGER.fullmatch(text) is not None and 0 <= int(text) <= most, "BADVALUE")
    return int(text)


def _ids(blob):
    """Return ids as an array."""
    demand(len(blob) % 4 == 0, "BADLENGTH")
    return np.frombuffer(blob, np.uint32)


def _read_tag(values):
    """Return worker, generation and sequence."""
    return tuple(map(_count, values, (65535, 2**32 - 1, MAX_COUNT)))
