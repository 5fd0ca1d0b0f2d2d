"""The iterations of alternating least squares, and when they end.

A pass over the users tells the objective of the items that it was given, and how to better them.
So the items of the last iteration take one more pass, which only sums their errors.
"""

from dataclasses import dataclass

import numpy as np

from ._costs import SUMMED
from ._outcome import CutShort


@dataclass(frozen=True)
class Solution:
    """Where the iterations have ended.

    Attributes
    ----------
    items : float32 array of shape (n_items, unknowns)
    n_iter : int
    converged : bool
        Whether they ended because an iteration gained no more than ``tol``; always without it.
    cut : str
        Why they were cut short; see ``Outcome``.
    """

    items: np.ndarray
    n_iter: int
    converged: bool
    cut: str = ""


class Alternation:
    """Alternating least squares over one run.

    Parameters
    ----------
    run : AlsRun
    alpha : float
        Penalty of a vector for each unit of weight of its ratings.
    item_weights : float64 array of shape (n_items,)
        Sum of the weights of each item's ratings; known once the run has put its blocks.
    tol : float or None
        The last iteration improves the objective by no more than this share; with held-out
        ratings, ``patience`` iterations their loss.
    patience : int
    """

    def __init__(self, run, alpha, item_weights, tol, patience):
        self._run = run
        self._alpha = alpha
        self._item_weights = item_weights
        self._tol = tol
        self._patience = patience
        self._fresh = []  # costs of the passes since the last entry of the history
        self._best = None, np.inf  # items and held-out loss
        self._idle = 0  # iterations since that loss was bettered by more than tol
        self._mark = np.inf  # the loss that they are compared with

    def solve(self, items, max_iter):
        """Iterate from these items, float32 of shape (n_items, unknowns).

        Returns
        -------
        Solution

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        ValueError
            If no rating of a weight is left to learn from.
        """
        n_iter, before, ended = 0, np.inf, False
        try:
            before = self._pass(items, 0, max_iter)
            while n_iter < max_iter and not ended:
                items = self._run.solve(self._alpha * self._item_weights)
                n_iter += 1
                objective = self._pass(items, n_iter, max_iter)
                ended = self._is_over(before, objective)
                before = objective
        except CutShort as end:
            # The items of an iteration whose pass was cut short are no worse than those before.
            return Solution(self._chosen(items), len(self._run.history), False, cut=str(end))
        return Solution(self._chosen(items), n_iter, ended or self._tol is None)

    def _chosen(self, items):
        """Return the items to keep: with held-out ratings, those that predict them best."""
        return items if self._best[0] is None else self._best[0]

    def _is_over(self, before, objective):
        """Say whether the last iteration has gained too little to go on."""
        if self._tol is None:
            return False
        if self._best[0] is None:
            return before - objective <= self._tol * objective
        return self._idle >= self._patience

    def _pass(self, items, n_iter, max_iter):
        """Go through the users once; return the objective."""
        done = self._run.go_through(items, "equations" if n_iter < max_iter else "score")
        self._fresh.append(done.costs)
        total = float(self._item_weights.sum())
        if not total:
            raise ValueError(
                "no rating of a weight is left to train on: choose a smaller validation_fraction"
            )
        squares = (items.astype(np.float64) ** 2).sum(axis=1)
        penalty = done.penalty + self._alpha * float(self._item_weights @ squares)
        loss, objective = done.loss / total, (done.loss + penalty) / total
        held = done.held_loss
        if held is not None and n_iter:
            if held < self._best[1]:
                self._best = items, held
            self._idle += 1
            if held < (1 - (self._tol or 0.0)) * self._mark:
                self._mark, self._idle = held, 0
        if n_iter:
            self._record(n_iter, loss, objective, held)
        return objective

    def _record(self, n_iter, loss, objective, held):
        """Add an entry to the history."""
        costs, self._fresh = self._fresh, []
        summed = (*SUMMED, "workers_replaced", "server_restarts")
        entry = {
            "epoch": n_iter,
            "train_loss": loss,
            "objective": objective,
            "workers": costs[-1]["workers"],
            "seconds": costs[-1]["seconds"],
            **{name: sum(cost[name] for cost in costs) for name in summed},
        }
        if held is not None:
            entry["valid_loss"] = held
        self._run.record(entry)
