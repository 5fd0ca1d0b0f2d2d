"""A run that evaluates loss and gradient of all data: the trainer's side.

    publish the parameters -> lease every block -> sum what comes back, in the order of the blocks

A block's part is a function of the block and the parameters alone (see ``full_batch.py`` of the
runtime). A lease done twice is counted once, by its number, and whoever did it did the same: so
the sums are the same bits for any number of workers, whatever becomes of them.

When the server is lost, the parameters are published anew on the one in its place, and the blocks
that have not come back are leased there. What has come back counts, so there are no checkpoints.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from cirrus_runtime.full_batch import ParameterVector, read_body
from cirrus_runtime.protocol import Lease

from ._costs import costs_of
from ._trainer import Run
from .exceptions import DivergenceError, RunEnded, ServerUnavailable

_NO_IDS = np.empty(0, np.uint32)


@dataclass(frozen=True)
class Evaluation:
    """What workers have summed over all rows.

    Attributes
    ----------
    loss : float
        Weighted sum of the losses of the rows.
    gradient : float64 array of shape (rows, width)
        Of that sum.
    costs : dict
        What :func:`~sklearn_cirrus._costs.costs_of` says, and ``workers_replaced``,
        ``server_restarts``, ``seconds`` (since the start of the fit).
    """

    loss: float
    gradient: np.ndarray
    costs: dict


class FullBatchRun(Run):
    """A run of full batches; see :class:`~sklearn_cirrus._trainer.Run`.

    Parameters
    ----------
    job : TrainJob
    part : Part
        The data, as exact blocks.
    place : Place
    n_workers : int
    checkpoints : Checkpoints
        Of which none is ever due.
    progress : callable, optional
    """

    _kind = "gradient"  # of the leases
    costs_before = ()  # of passes before the first evaluation

    def __init__(self, job, part, place, n_workers, checkpoints, progress=None):
        super().__init__(job, None, place, n_workers, checkpoints, progress)
        self.shape = job.n_features + job.intercept, job.width
        self.history = []
        self._train, self._valid = part, None
        self._epoch = -1  # number of the evaluation
        self._done = {}  # no evaluation begins with reports
        self._ids = []
        self._open()

    def evaluate(self, table):
        """Sum loss and gradient over all rows.

        Parameters
        ----------
        table : float64 array of shape (rows, width)
            Weights of the user's columns; with an intercept, these in the last row.

        Returns
        -------
        Evaluation

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        """
        reports = self._go_through(table)
        if not (np.isfinite(self._loss) and np.isfinite(self._gradient).all()):
            raise DivergenceError("the loss or its gradient is not a finite number: scale the data")
        return Evaluation(self._loss, self._gradient, self._costs(reports))

    def _go_through(self, table):
        """Lease every block at these parameters, and sum what comes back; return the reports."""
        self._table = table
        self._epoch += 1
        self._rounds = {}
        self._restarts = self.crew.replaced = 0
        self._is_published = False
        self._summed = 0
        self._clear()
        if self._epoch == 0:
            self._publish()
            self.crew.start(self._train.n_blocks)
            self._train = self.place.share(self._train)
            self._put_blocks()
        reports = None
        while reports is None:
            try:
                if self._is_lost:
                    self._restore()
                if not self._is_published:
                    self._publish()
                self._await("train")
                reports = self._round("train").reports
            except (ServerUnavailable, RunEnded) as error:
                self._reconnect(error)
        self._setbacks = 0
        return list(reports.values())

    def _look_at(self, reports):
        """Sum the reports in the order of the blocks, as far as they have come; let bodies go."""
        while (report := reports.get(self._summed)) is not None:
            known = self._ids[self._summed].size if self._epoch else None
            ids = self._add(report, known)
            if ids is not None:
                self._ids.append(ids.copy())  # not a view, which would keep the body
            reports[self._summed] = replace(report, body=b"")
            self._summed += 1

    def _clear(self):
        """Begin the sums of an evaluation."""
        self._loss, self._gradient = 0.0, np.zeros(self.shape)

    def _add(self, report, n_ids):
        """Add a report to the sums; return its ids, or None if their number is given."""
        ids, values = read_body(report.body, self.shape[1], n_ids)
        known = self._ids[self._summed] if ids is None else ids
        self._gradient[known] += values  # a block names a column once
        self._loss += report.loss
        return ids

    def record(self, entry):
        """Take up an entry of the history."""
        self.history.append(entry)
        self._progress(0, entry)

    def _draw_up(self, kind):
        name = (self._train.keys or self.keys).block
        return [
            Lease(0, self._kind, self._epoch, block, name("train", block))
            for block in range(self._train.n_blocks)
        ]

    # ---- What is another for a vector than for a model

    def _open(self):
        """Take the vector on the server that the place has now."""
        self.server = ParameterVector(self.place.engine, self.keys.vector, *self.shape)
        self._is_published = False

    def _publish(self):
        """Publish the parameters of this evaluation."""
        self.server.publish(self._table)
        self._is_published = True

    def _check(self):
        self.place.board.check()
        if self._is_published:
            self.server.pull(_NO_IDS)

    def _fence(self, worker, generation):
        """There is nothing to refuse: workers push nothing."""

    def _remake(self):
        """Publish the parameters anew; lease what has not come back."""
        self._open()
        self._publish()
        this = self._round("train")
        this.waiting = list(this.missing.values())

    def _costs(self, reports):
        """Return what an evaluation has cost."""
        return costs_of(reports) | {
            "workers_replaced": self.crew.replaced,
            "server_restarts": self._restarts,
            "seconds": time.perf_counter() - self._started,
        }
