"""Whole blocks in float64: a worker's part of the full-batch loss and gradient.

The trainer publishes the parameters and leases every block; for each lease a worker returns the
loss of the block and its gradient on the columns that the block has. Both depend on nothing but
the block and the parameters, bit by bit, so it does not matter who computes them, or how often.

The body of a report: float64 gradient of shape (n_ids, width). In the first evaluation (epoch 0)
it follows the ids, uint32 of shape (n_ids,): they do not change, and the trainer keeps them.
Leases of the kinds ``"moments"`` and ``"products"`` ask for what the columns are like instead: see
``column_moments.py``.
"""

import time
from ctypes import POINTER, Structure, byref, c_double, c_uint32, c_void_p
from dataclasses import dataclass

import numpy as np

from .column_moments import moments_of_block
from .kernels import declare
from .keys import RunKeys
from .logistic import LogisticKernel


class _WholeBlock(Structure):
    """``cirrus_whole_block`` of full_batch.h, field by field."""

    _fields_ = [
        ("indptr", c_void_p),
        ("local", c_void_p),
        ("data", c_void_p),
        ("labels", c_void_p),
        ("weights", c_void_p),
        ("scores", c_void_p),
        ("wide", c_uint32),
        ("n_rows", c_uint32),
        ("n_ids", c_uint32),
        ("width", c_uint32),
        ("intercept", c_uint32),
    ]


_full_batch = declare("cirrus_full_batch", c_double, POINTER(_WholeBlock), c_void_p, c_void_p)


class ParameterVector:
    """The parameters of a full batch: a table of float64 that the trainer publishes.

    Methods raise :class:`~cirrus_runtime.errors.RunEnded` once it has been dropped.

    Parameters
    ----------
    engine : Engine
    key : str
    rows, width : int
        Shape of the table.
    """

    def __init__(self, engine, key, rows, width):
        self._engine = engine
        self._key = key
        self._rows = rows
        self._width = width

    def publish(self, table):
        """Publish a table of shape (rows, width), float64, in place of the last."""
        self._engine.publish(self._key, np.ascontiguousarray(table, "<f8").reshape(-1))

    def pull(self, ids):
        """Return the rows of uint32 ids, float64 of shape (n_ids, width); may be read-only."""
        # An id costs 4 bytes on the way there, a weight 8 on the way back.
        if ids.size * (4 + 8 * self._width) < 8 * self._width * self._rows:
            return self._engine.gather(self._key, ids, self._width).reshape(-1, self._width)
        table = self._engine.read(self._key).reshape(-1, self._width)
        return np.take(table, ids, axis=0)

    def drop(self):
        """Delete it."""
        self._engine.drop(self._key)


@dataclass(frozen=True, eq=False)
class NumberedBlock:
    """A block whose columns have been numbered once for all evaluations.

    Attributes
    ----------
    ids : uint32 array of shape (n_ids,)
        Rows of the parameters that it needs.
    n_rows : int
    weight : float
        Sum of the rows' weights.
    nbytes : int
    """

    ids: np.ndarray
    n_rows: int
    weight: float
    nbytes: int
    _struct: _WholeBlock
    _kept: tuple  # arrays whose addresses the structure holds


class FullBatchKernel:
    """Loss and gradient of whole blocks, for data of one shape. Not for two threads at once.

    Parameters
    ----------
    n_features, width, intercept
        As of :class:`~cirrus_runtime.logistic.LogisticKernel`.
    """

    def __init__(self, n_features, width, intercept):
        self._numbering = LogisticKernel(n_features, width, intercept)
        self._intercept = bool(intercept)
        self._scores = np.empty(width, np.float64)

    def accept(self, block, name):
        """Number the columns of a block; refuse one that is not for this model.

        Returns
        -------
        NumberedBlock

        Raises
        ------
        BlockError
        """
        self._numbering.check_labels(block, name)
        ids, local = self._numbering.number(block)
        weights = block.weights
        if weights is not None:
            weights = weights.astype(np.float64, copy=False)
        wide = block.data is not None and block.data.dtype == np.float64
        struct = _WholeBlock(
            indptr=block.indptr.ctypes.data,
            local=local.ctypes.data,
            data=None if block.data is None else block.data.ctypes.data,
            labels=block.labels.ctypes.data,
            weights=None if weights is None else weights.ctypes.data,
            scores=self._scores.ctypes.data,
            wide=wide,
            n_rows=block.n_rows,
            n_ids=ids.size,
            width=self._scores.size,
            intercept=self._intercept,
        )
        return NumberedBlock(
            *(ids, block.n_rows),
            weight=float(block.n_rows if weights is None else weights.sum()),
            nbytes=block.nbytes + local.nbytes + ids.nbytes,
            _struct=struct,
            _kept=(block, local, weights, self._scores),
        )

    def gradient(self, block, table):
        """Return loss and gradient of a block.

        Parameters
        ----------
        block : NumberedBlock
        table : float64 array of shape (n_ids, width)
            The rows of the parameters that ``block.ids`` names.

        Returns
        -------
        loss : float
            Weighted sum of the rows' losses.
        gradient : float64 array of shape (n_ids, width)
            Of that sum.
        """
        table = np.ascontiguousarray(table, np.float64)
        gradient = np.empty((block.ids.size, self._scores.size), np.float64)
        loss = _full_batch(byref(block._struct), table.ctypes.data, gradient.ctypes.data)
        return loss, gradient

    def moments(self, block, products):
        """Return the moments of a NumberedBlock: see :func:`moments_of_block`."""
        rows, local, weights, _ = block._kept
        return moments_of_block(rows, local, weights, block.ids.size, products)


class FullBatch:
    """A worker's side of a run of full batches.

    Parameters
    ----------
    job : TrainJob
    engine : Engine
    """

    def __init__(self, job, engine):
        rows = job.n_features + job.intercept
        self.kernel = FullBatchKernel(job.n_features, job.width, job.intercept)
        self.accept = self.kernel.accept
        self._vector = ParameterVector(engine, RunKeys(job.run_id).vector, rows, job.width)

    def perform(self, lease, block, renew):
        """Evaluate a NumberedBlock; return the fields of the report. It is too short to renew."""
        begin = got = time.perf_counter()
        loss = nbytes = 0
        if lease.kind == "gradient":
            table = self._vector.pull(block.ids)
            nbytes, got = table.nbytes, time.perf_counter()
            loss, values = self.kernel.gradient(block, table)
        else:
            values = self.kernel.moments(block, lease.kind == "products")
        first = lease.epoch == 0
        body = block.ids.tobytes() + values.tobytes() if first else values.tobytes()
        return {
            "rows": block.n_rows,
            "weight": block.weight,
            "loss": loss,
            "updates": 1,
            "nbytes": nbytes + len(body),
            "compute": time.perf_counter() - got,
            "server": got - begin,
            "body": body,
        }


def read_body(body, width, n_ids=None):
    """Return (ids, gradient) of a body; ids None if ``n_ids`` says that they are known."""
    ids = None
    if n_ids is None:
        n_ids = len(body) // (4 + 8 * width)
        ids = np.frombuffer(body, "<u4", n_ids)
    gradient = np.frombuffer(body, "<f8", offset=0 if ids is None else ids.nbytes)
    return ids, gradient.reshape(n_ids, width)
