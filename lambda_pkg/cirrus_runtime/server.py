"""The parameter server as trainer and workers see it: one model behind one engine.

A worker's loop is :meth:`ParameterServer.step`: it pushes the gradient of one minibatch and pulls
the rows of the next in one round trip. Tables larger than a reply are read and written in chunks.
"""

import numpy as np

from .engines import (
    Engine,
    InlineEngine,
    LuaEngine,
    ModuleEngine,
    PushTag,
    ShardedEngine,
    open_engine,
    open_shards,
)
from .model_spec import COLUMN_ROWS, ModelSpec

__all__ = [
    "Engine",
    "InlineEngine",
    "LuaEngine",
    "ModelSpec",
    "ModuleEngine",
    "ParameterServer",
    "PushTag",
    "ShardedEngine",
    "open_engine",
    "open_shards",
]

_CHUNK_BYTES = 16 << 20


class ParameterServer:
    """One model of one run.

    Every method raises :class:`~cirrus_runtime.errors.RunEnded` once the model has been dropped,
    and :class:`~cirrus_runtime.errors.ServerError` if the server refuses or cannot be reached (the
    cause is then redis-py's exception).

    Parameters
    ----------
    engine : Engine
    key : str
        The Redis key of the model.
    """

    def __init__(self, engine, key):
        self.engine = engine
        self.key = key
        self._spec = None

    @property
    def spec(self):
        """The model's :class:`ModelSpec`; asked of the server once."""
        if self._spec is None:
            info = self.engine.info(self.key)
            self._spec = ModelSpec(**{name: info[name] for name in ModelSpec.__dataclass_fields__})
        return self._spec

    def create(self, spec, *, clock=None):
        """Make the model: weights zero, scales one.

        Parameters
        ----------
        spec : ModelSpec
        clock : tuple of (int, float), optional
            Steps it has seen already and the learning rate of the last, as :meth:`info` gives
            them: with it and every slot loaded, training goes on where a checkpoint was taken.
        """
        steps, rate = (0, 0.0) if clock is None else clock
        self.engine.create(self.key, spec, int(steps), float(rate))
        self._spec = spec

    def pull(self, ids):
        """Read rows.

        Parameters
        ----------
        ids : array-like of shape (n,), unsigned 32-bit integers

        Returns
        -------
        ndarray of shape (n, width), float32
            As of now, penalties of the steps in between included. May be read-only.
        """
        return self.engine.pull(self.key, _ids(ids)).reshape(-1, self.spec.width)

    def push(self, ids, grads, lr, tag=None):
        """Apply one step of the optimizer.

        Parameters
        ----------
        ids : array-like of shape (n,), unsigned 32-bit integers
            Each at most once.
        grads : array-like of shape (n, width), float32
            Mean over the minibatch, without penalty.
        lr : float
        tag : PushTag or tuple of (worker, generation, sequence), optional
            With a tag the push is applied at most once, however often it is sent.

        Returns
        -------
        bool
            False if a push with this tag, or a later one, was applied before.

        Raises
        ------
        StaleWorkerError
            If a newer generation of this worker has pushed.
        """
        return self.engine.push(self.key, _ids(ids), _values(grads), float(lr), tag)

    def step(self, ids, grads, lr, next_ids, tag=None):
        """Push one minibatch and pull the rows of the next; parameters as above.

        When the connection is lost on the way, send the same step with the same tag again.

        Returns
        -------
        ndarray of shape (n_next, width), float32
            May be read-only.
        """
        rows = self.engine.step(self.key, _ids(ids), _values(grads), float(lr), _ids(next_ids), tag)
        return rows.reshape(-1, self.spec.width)

    def fence(self, worker, generation):
        """Refuse what older generations of a worker still push: it has been replaced."""
        self.engine.fence(self.key, worker, generation)

    def dump(self, slot="weights"):
        """Read one slot of the whole table.

        Parameters
        ----------
        slot : str
            One of ``spec.slots``.

        Returns
        -------
        ndarray of shape (rows, width), float32; (rows,) for ``"scale"``, (3, width) for
            ``"columns"``
        """
        number, width = self.spec.slot(slot)
        rows = self._rows(slot)
        out = np.empty(rows * width, np.float32)
        for first, count in self._chunks(rows, width):
            values = self.engine.dump(self.key, number, first, count)
            out[first * width : (first + count) * width] = values
        return out if slot == "scale" else out.reshape(-1, width)

    def load(self, slot, values):
        """Write one slot of the whole table: the reverse of :meth:`dump`.

        Parameters
        ----------
        slot : str
        values : array-like
            As :meth:`dump` returns them.
        """
        number, width = self.spec.slot(slot)
        values = _values(values)
        rows = self._rows(slot)
        if values.size != rows * width:
            raise ValueError(f"slot {slot!r} takes {rows} x {width} values, not {values.size}")
        for first, count in self._chunks(rows, width):
            chunk = values[first * width : (first + count) * width]
            self.engine.load(self.key, number, first, chunk)

    def fill(self, slot, value):
        """Set all of one slot to a value, finite and not negative: a :meth:`load` without bytes.

        Parameters
        ----------
        slot : str
        value : float
        """
        if not 0 <= value < np.inf:
            raise ValueError(f"a slot is filled with a value that is finite and >= 0, not {value}")
        number, width = self.spec.slot(slot)
        for first, count in self._chunks(self._rows(slot), width):
            self.engine.fill(self.key, number, first, count, float(value))

    def norms(self, first, count):
        """Sum up weights where they are.

        Parameters
        ----------
        first, count : int
            Rows ``first .. first + count - 1``.

        Returns
        -------
        ndarray of shape (2, width), float64
            By column the sums of the squares of the weights as of now, and of their sizes.
        """
        sums = np.zeros((2, self.spec.width))
        for start, rows in self._chunks(count, self.spec.width):
            part = self.engine.norms(self.key, first + start, rows)
            sums += part.reshape(2, -1)
        return sums

    def info(self):
        """Return the fields of the spec, and ``steps``, ``rate``, ``memory`` (bytes), as a dict."""
        return self.engine.info(self.key)

    def drop(self):
        """Delete the model: whoever uses it still gets RunEnded."""
        self.engine.drop(self.key)

    def _rows(self, slot):
        """Return the rows of a slot."""
        return COLUMN_ROWS if slot == "columns" else self.spec.rows

    def _chunks(self, rows, width):
        """Yield (first, count) of the rows in each chunk of a slot."""
        size = max(1, _CHUNK_BYTES // (4 * width))
        for first in range(0, rows, size):
            yield first, min(size, rows - first)


def _ids(ids):
    """Return ids as the kernels take them, without a copy if they are already."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"ids must have one dimension, not {ids.ndim}")
    if ids.dtype != np.uint32 and ids.size:
        if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() > 0xFFFFFFFF:
            raise ValueError("ids must be integers from 0 to 2^32 - 1")
    return np.ascontiguousarray(ids, "<u4")


def _values(values):
    """Return values as one row of float32, without a copy if they are C-contiguous float32."""
    return np.ascontiguousarray(values, "<f4").reshape(-1)
