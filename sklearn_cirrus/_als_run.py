"""A run of alternating least squares: the trainer's side.

    publish the items -> lease every block of users -> sum what comes back, in their order

A block's part is a function of the block and the items alone (see ``als.py`` of the runtime). So it
is with killed workers and a lost server as with full batches: the sums are the same bits.
"""

from ctypes import c_size_t, c_uint32, c_void_p
from dataclasses import dataclass

import numpy as np

from cirrus_runtime.als import read_body
from cirrus_runtime.kernels import declare
from cirrus_runtime.normal_equations import equations_width, padded_length

from ._full_batch import FullBatchRun
from .exceptions import DivergenceError

_add_sums = declare("cirrus_add_sums", None, c_void_p, c_void_p, c_size_t, c_size_t, c_void_p)
_solve_items = declare(
    *("cirrus_solve_items", None, c_size_t, c_uint32),
    *(c_void_p, c_void_p, c_void_p, c_void_p),
)


@dataclass(frozen=True)
class Pass:
    """What workers have summed over all users, at the best vector of each for some items.

    Attributes
    ----------
    loss : float
        Weighted sum of the squared errors of the ratings to learn from.
    penalty : float
        Of the users.
    held_loss : float or None
        Weighted mean of the squared errors of the held-out ratings, if there are any.
    costs : dict
        As of :class:`~sklearn_cirrus._full_batch.Evaluation`.
    """

    loss: float
    penalty: float
    held_loss: float | None
    costs: dict


class AlsRun(FullBatchRun):
    """A run of alternating least squares; parameters are those of ``FullBatchRun``."""

    _kind = "equations"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        n_items, unknowns = self.shape
        self._width = equations_width(unknowns)
        self._equations = np.zeros((n_items, self._width))

    def go_through(self, items, kind="equations"):
        """Solve all users given the items.

        Parameters
        ----------
        items : float32 array of shape (n_items, unknowns)
        kind : {"equations", "score"}
            Whether to sum the normal equations of the items as well, for :meth:`solve`.

        Returns
        -------
        Pass

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        """
        self._kind = kind
        reports = self._go_through(items)
        if not np.isfinite(self._loss + self._penalty):
            raise DivergenceError(
                "the sum of squared errors is not a finite number: scale the data"
            )
        loss, weight = self._held_out
        return Pass(
            self._loss, self._penalty, loss / weight if weight else None, self._costs(reports)
        )

    def solve(self, ridge):
        """Return the best items for the users of the last pass.

        Parameters
        ----------
        ridge : float64 array of shape (n_items,)
            Added to the diagonal of each item's matrix; 0 for items without ratings, which become
            zeros.

        Returns
        -------
        float32 array of shape (n_items, unknowns)
        """
        n_items, unknowns = self.shape
        padded = padded_length(unknowns)
        items, scratch = np.empty(self.shape), np.empty(padded * (padded + 1))
        arrays = self._equations, ridge, scratch, items
        _solve_items(n_items, unknowns, *(array.ctypes.data for array in arrays))
        return items.astype(np.float32)

    def _clear(self):
        self._loss = self._penalty = 0.0
        self._held_out = 0.0, 0.0
        if self._kind == "equations":
            self._equations[:] = 0.0

    def _add(self, report, n_ids):
        held_out, ids, values = read_body(report.body, self._width, n_ids)
        known = self._ids[self._summed] if ids is None else ids
        if len(values):
            arrays = self._equations.ctypes.data, known.ctypes.data
            _add_sums(*arrays, known.size, self._width, values.ctypes.data)
        self._loss += report.loss
        self._penalty += report.penalty * report.weight
        self._held_out = tuple(np.add(self._held_out, held_out).tolist())
        return ids
