"""The tables of the shadow: a model in the kernels, and what the module keeps beside it."""

import ctypes

import numpy as np

from cirrus_runtime.kernels import Model, StatusError
from cirrus_runtime.model_spec import COLUMN_ROWS, COLUMN_SLOT, SCALE_SLOT

RAW_SLOT = 102


class Refused(Exception):
    """The command is an error; the argument is its first word."""


class Served:
    """A model and the tags of its workers."""

    def __init__(self, spec):
        self.model = Model(spec)
        self.struct = self.model._model.contents
        self.width = spec.width
        self.tags = {}

    def push(self, rate, ids, grads, tag):
        """Return 1 if applied, 0 if that push was applied before."""
        demand(len(grads) == 4 * ids.size * self.width, "BADLENGTH")
        if tag is not None:
            worker, generation, sequence = tag
            seen, last = self.tags.get(worker, (-1, -1))
            demand(generation >= seen, "STALEWORKER")
            if generation == seen and sequence <= last:
                return 0
        call_kernel(self.model.push, ids, np.frombuffer(grads, np.float32), rate)
        if tag is not None:
            self.tags[worker] = generation, sequence
        return 1

    def raw(self):
        """Return the bytes of the table, uint8, writable."""
        size = self.model.nbytes
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self.struct.table))

    def rows(self, slot):
        """Return the rows of a slot."""
        return COLUMN_ROWS if slot == COLUMN_SLOT else self.model.spec.rows

    def slot_bytes(self, slot):
        """Return the bytes of a row in a slot."""
        if slot == RAW_SLOT:
            return 4 * self.struct.stride
        return 4 if slot == SCALE_SLOT else 4 * self.width

    def accepts(self, values):
        """Return whether whole rows could have come from this table."""
        rows = np.frombuffer(values, np.uint32).reshape(-1, self.struct.stride)
        good = rows[:, self.struct.stamp] <= self.struct.step
        if self.model.spec.scaled:
            scale = rows[:, -1].view(np.float32)
            with np.errstate(invalid="ignore"):
                good = good & (scale >= np.float32(1e-15)) & (scale <= np.float32(1e15))
        return bool(good.all())


def demand(good, word):
    """Refuse the command unless something holds."""
    if not good:
        raise Refused(word)


def call_kernel(method, *arguments):
    """Call a kernel; what it refuses is refused with the module's word."""
    try:
        return method(*arguments)
    except StatusError as error:
        raise Refused({2: "OOM", 3: "BADID", 4: "BADID"}.get(error.status, "BADVALUE")) from error
