"""Alternating least squares: a worker's part of an iteration over the users.

The trainer publishes the items and leases every block of users. For each lease a worker solves the
users of the block, and sums their errors and the normal equations of the items that they rated.
All of it depends on nothing but the block and the items, bit by bit, so it does not matter who
computes it, or how often. Users' vectors never leave the worker, and it keeps none.

The body of a report: float64 loss and weight of the held-out ratings; then, for a lease of kind
``"equations"``, float32 normal equations of shape (n_ids, m), see ``normal_equations.h``. In the
first iteration (epoch 0) the ids lie between the two, uint32 of shape (n_ids,): they do not change,
and the trainer keeps them. A lease of kind ``"score"`` asks for the errors alone.
"""

import time

import numpy as np

from .full_batch import ParameterVector
from .keys import RunKeys
from .normal_equations import AlsKernel, equations_width

_HEAD = 2  # float64 values that a body begins with


class Als:
    """A worker's side of a run of alternating least squares.

    Parameters
    ----------
    job : TrainJob
        Its ``options`` are ``alpha``, ``mean``, ``biased`` and ``held_out`` of ``AlsKernel``; its
        ``parts`` are those of ``dataset_blocks.py``.
    engine : Engine
    """

    def __init__(self, job, engine):
        options = {key: value for key, value in job.options.items() if key != "parts"}
        self._kernel = AlsKernel(job.n_features, job.width, **options)
        self._width = equations_width(job.width)
        self._items = ParameterVector(engine, RunKeys(job.run_id).vector, job.n_features, job.width)
        self.accept = self._kernel.accept

    def perform(self, lease, block, renew):
        """Do a lease on a RatingsBlock; return the fields of the report."""
        begin = time.perf_counter()
        table = self._items.pull(block.ids)
        got = time.perf_counter()
        sums = self._kernel.solve_users(block, table, renew)
        body = np.array([sums.held_loss, sums.held_weight]).tobytes()
        if lease.kind == "equations":
            ids = block.ids.view(np.uint8) if lease.epoch == 0 else b""
            room = bytearray(len(body) + len(ids) + 4 * self._width * block.ids.size)
            values = np.frombuffer(room, np.float32, offset=len(body) + len(ids))
            self._kernel.equations(block, values.reshape(block.ids.size, self._width), renew)
            room[: len(body) + len(ids)] = body + bytes(ids)
            body = room
        return {
            "rows": block.n_ratings,
            "weight": sums.weight,
            "loss": sums.loss,
            "updates": int(lease.kind == "equations"),
            "nbytes": table.nbytes + len(body),
            "compute": time.perf_counter() - got,
            "server": got - begin,
            "penalty": sums.penalty / sums.weight if sums.weight else 0.0,
            "body": body,
        }


def read_body(body, width, n_ids=None):
    """Return the parts of the body of a report.

    Parameters
    ----------
    body : buffer
    width : int
        Values of an item's normal equations.
    n_ids : int, optional
        Number of the block's items, if they are known already.

    Returns
    -------
    held_out : tuple of (float, float)
        Loss and weight of held-out ratings.
    ids : uint32 array of shape (n_ids,) or None
        None if they were known.
    equations : float32 array of shape (n_ids, width)
        With no rows in the body of a lease of kind ``"score"``.
    """
    held_out = tuple(np.frombuffer(body, "<f8", _HEAD).tolist())
    begin, ids = 8 * _HEAD, None
    if n_ids is None:
        n_ids = (len(body) - begin) // (4 + 4 * width)
        ids = np.frombuffer(body, "<u4", n_ids, offset=begin)
        begin += ids.nbytes
    return held_out, ids, np.frombuffer(body, "<f4", offset=begin).reshape(-1, width)
