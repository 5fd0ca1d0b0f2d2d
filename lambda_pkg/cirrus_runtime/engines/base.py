"""What an engine is: the place where models live and are updated.

All engines follow one contract (tests/runtime/test_server_contract.py) and refuse the same things
with the same first word of the message; see sklearn_cirrus/redis_module/module.c for the words.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from ..errors import BadValueError, RunEnded, ServerError, StaleWorkerError
from ..model_spec import SCALE_SLOT

_TAG_LIMITS = {"worker": 65535, "generation": 2**32 - 1, "sequence": 2**53}
_ERRORS = {"NOMODEL": RunEnded, "STALEWORKER": StaleWorkerError, "BADVALUE": BadValueError}


class PushTag(NamedTuple):
    """Makes a push recognisable, so that sending it twice applies it once.

    Attributes
    ----------
    worker : int
        0 .. 65535.
    generation : int
        Grows with every restart of the worker; once a newer one has pushed, older ones are refused.
    sequence : int
        Grows with every push of a generation.
    """

    worker: int
    generation: int
    sequence: int


def refusal(message):
    """Return the exception for an error message that begins with one of the words."""
    return _ERRORS.get(message.partition(" ")[0], ServerError)(message)


def check_tag(tag):
    """Refuse a tag with a field that is out of range, as the module does."""
    for (field, most), value in zip(_TAG_LIMITS.items(), tag, strict=True):
        if not 0 <= value <= most:
            raise refusal(f"BADVALUE the {field} must be an integer from 0 to {most}")


class Engine(ABC):
    """Keeps models, and vectors of float64, by key. Methods may be called from any thread.

    Arrays come in C-contiguous, little-endian and one-dimensional: ids uint32, values float32.
    Arrays that are returned may be read-only. Every method raises :class:`RunEnded` if there is
    nothing at the key, and :class:`ServerError` if it is refused or the server cannot be reached.
    """

    name: str

    @abstractmethod
    def create(self, key, spec, steps, rate):
        """Make a model of zeros (scales: ones) that has seen ``steps`` steps."""

    @abstractmethod
    def pull(self, key, ids):
        """Return n * width values: the rows of ``ids`` as of now."""

    @abstractmethod
    def push(self, key, ids, grads, lr, tag):
        """Apply one step; return False if its tag is of a push already applied.

        Raises :class:`StaleWorkerError` if a newer generation of the worker has pushed.
        """

    @abstractmethod
    def step(self, key, ids, grads, lr, next_ids, tag):
        """Push, then pull ``next_ids``: in one round trip, as nothing or as a whole."""

    @abstractmethod
    def fence(self, key, worker, generation):
        """Refuse what older generations of a worker still push, from now on."""

    @abstractmethod
    def dump(self, key, slot, first, count):
        """Return the values of ``count`` rows of a slot (a number) from row ``first`` on."""

    @abstractmethod
    def load(self, key, slot, first, values):
        """Set the rows of a slot from row ``first`` on."""

    def fill(self, key, slot, first, count, value):
        """Set ``count`` rows of a slot from row ``first`` on to one value (not negative)."""
        width = 1 if slot == SCALE_SLOT else self.info(key)["width"]
        self.load(key, slot, first, np.full(count * width, value, np.float32))

    def norms(self, key, first, count):
        """Return sums over the weights of some rows: of squares by column, then of sizes."""
        weights = self.dump(key, 0, first, count).astype(np.float64)
        weights = weights.reshape(-1, self.info(key)["width"])
        return np.concatenate([np.einsum("ij,ij->j", weights, weights), abs(weights).sum(axis=0)])

    @abstractmethod
    def info(self, key):
        """Return the fields of the model's ModelSpec, and steps, rate, memory (bytes)."""

    @abstractmethod
    def publish(self, key, values):
        """Keep a vector (float64) at the key, in place of one that is there."""

    @abstractmethod
    def read(self, key):
        """Return the vector at the key."""

    def gather(self, key, ids, width):
        """Return some rows of the vector at the key, read as a table of ``width`` columns."""
        vector = self.read(key)
        if vector.size % width:
            raise refusal("BADLENGTH the vector is not of whole rows")
        table = vector.reshape(-1, width)
        if ids.size and ids.max() >= len(table):
            raise refusal("BADID an id is not below the number of rows")
        return np.take(table, ids, axis=0).reshape(-1)

    @abstractmethod
    def drop(self, key):
        """Delete the model or the vector; no error if there is none."""

    def send(self, method, *arguments):
        """Begin ``"pull"``, ``"push"`` or ``"step"``; return the function that gives its result.

        For a model that is split over several engines: it begins on all before it waits for any.
        The caller keeps other threads off, and closes the engine if it will not call the function.
        """
        result = getattr(self, method)(*arguments)
        return lambda: result

    def close(self):  # noqa: B027 (most engines hold nothing to let go of)
        """Let go of connections; the engine may still be used and then opens them again."""
