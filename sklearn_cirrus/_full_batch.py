"""A run that evaluates loss and gradient of all data: the trainer's side.

    publish the parameters -> lease every block -> sum what comes back, in the order of the blocks

A block's part is a function of the block and the parameters alone (see ``full_batch.py`` of the
runtime). A lease done twice is counted once, by its number, and whoever did it did the same: so
the sums are the same bits for any number of workers, whatever becomes of them.
"""

import time
from dataclasses import dataclass

import numpy as np

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.full_batch import ParameterVector, read_body

from ._trainer import Run
from .exceptions import DivergenceError

_TOTALS = {"compute_seconds": "compute", "server_seconds": "server", "wait_seconds": "wait"}


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
        ``rows``, ``workers``, ``compute_seconds``, ``server_seconds``, ``wait_seconds`` (sums
        over the workers), ``server_bytes``, ``seconds`` (since the start of the fit).
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
    progress : callable, optional
    """

    def __init__(self, job, part, place, n_workers, progress=None):
        super().__init__(job, None, place, n_workers, progress)
        self.shape = job.n_features + job.intercept, job.width
        self.server = ParameterVector(place.engine, self.keys.vector, *self.shape)
        self._part = part
        self._names = []
        self._ids = []
        self._evaluations = 0

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
        self.server.publish(table)
        number, self._evaluations = self._evaluations, self._evaluations + 1
        if number == 0:
            self._start_workers(self._part.n_blocks)
            for block in self._part.blocks:
                self._names.append(self.keys.block("train", len(self._names)))
                self.place.store.put(self._names[-1], encode_block(block))
                self._offer([("gradient", 0, len(self._names) - 1, self._names[-1])])
        else:
            self._offer([("gradient", number, *place) for place in enumerate(self._names)])
        reports = self._await(len(self._names), self._part.n_rows)
        reports.sort(key=lambda report: report.number)  # leases are numbered block by block
        gradient = np.zeros(self.shape)
        for block, report in enumerate(reports):
            known = self._ids[block].size if number else None
            ids, values = read_body(report.body, self.shape[1], known)
            if ids is not None:
                self._ids.append(ids)
            gradient[self._ids[block]] += values  # a block names a column once
        loss = sum(report.loss for report in reports)
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            raise DivergenceError("the loss or its gradient is not a finite number: scale the data")
        return Evaluation(loss, gradient, self._costs(reports))

    def record(self, entry):
        """Take up an entry of the history."""
        self.history.append(entry)
        self._progress(0, entry)

    def _costs(self, reports):
        """Return what an evaluation has cost."""
        totals = {
            name: sum(getattr(report, field) for report in reports)
            for name, field in _TOTALS.items()
        }
        return totals | {
            "rows": sum(report.rows for report in reports),
            "server_bytes": sum(report.nbytes for report in reports),
            "workers": len({report.worker for report in reports}),
            "seconds": time.perf_counter() - self._started,
        }
