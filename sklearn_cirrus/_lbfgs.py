"""L-BFGS on loss and gradient that workers sum, in variables that suit it.

The objective is scikit-learn's, per unit of row weight:

    (sum_i s_i loss_i) / S + strength / 2 * |w|^2        with S = sum_i s_i, strength = 1 / (C S)

It works in other variables (``_variables.py``); every figure it reports is one of the user's
columns.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize
from threadpoolctl import threadpool_limits

from ._costs import SUMMED
from ._outcome import CutShort

_LINE_SEARCH = 50  # evaluations of an iteration at most, as in scikit-learn
_MEMORY, _LITTLE_MEMORY = 30, 10  # steps remembered, each twice as large as the model
_SMALL = 1 << 18  # weights of a model for which memory is no matter
_FTOL = 64 * np.finfo(float).eps  # as in scikit-learn: the objective cannot be told apart
_NOTHING = 1e-12  # a gain that rounding may hide: columns far from zero cost digits


@dataclass(frozen=True)
class Minimum:
    """Where the iterations have ended: weights, how many there were, and whether they arrived,
    why they were cut short (see ``Outcome``)."""

    table: np.ndarray
    n_iter: int
    converged: bool
    cut: str = ""


@dataclass(frozen=True)
class _Point:
    """One evaluation. Largest components of the gradient: by the weights, by the variables."""

    x: np.ndarray
    objective: float
    loss: float
    gradient: np.ndarray
    largest: float
    costs: dict


class Minimizer:
    """L-BFGS over one run.

    Parameters
    ----------
    run : FullBatchRun
    total : float
        Sum of the row weights.
    strength : float
        Of the penalty, per unit of row weight.
    tol : float or None
        No component of the gradient is larger at the end; None: as far as the objective falls.
    """

    def __init__(self, run, total, strength, tol):
        self._run = run
        self._total = total
        self._strength = strength
        self._tol = -1.0 if tol is None else tol
        self._last = None
        self._fresh = []  # costs of the passes since the last entry of the history
        self._n_iter = 0
        self._arrived = None  # where the last iteration ended

    def minimize(self, start, max_iter, make_variables):
        """Iterate.

        Parameters
        ----------
        start : float64 array of shape (rows, width)
        max_iter : int
        make_variables : callable
            Returns the Variables; may have the run go through the rows for that.

        Returns
        -------
        Minimum
        """
        self._width = start.shape[1]
        try:
            self._variables = make_variables()
        except CutShort as end:
            return Minimum(start, 0, False, cut=str(end))
        self._fresh.extend(self._run.costs_before)
        x = self._arrived = self._variables.inner(start).ravel()
        try:
            return self._descend(start, x, max_iter)
        except CutShort as end:
            table = self._variables.outer(self._arrived.reshape(-1, self._width))
            return Minimum(table, self._n_iter, False, cut=str(end))

    def _descend(self, start, x, max_iter):
        """Iterate from x, which stands for the table ``start``."""
        if self._evaluate(x).largest <= self._tol:
            self._record(self._last)
            return Minimum(start, 0, True)
        # Its arrays are small: more threads would only wait for each other, and on how many there
        # are would depend how sums are rounded.
        with threadpool_limits(1, user_api="blas"):
            result = optimize.minimize(
                *(self._function, x),
                jac=True,
                method="L-BFGS-B",
                callback=self._iteration,
                options={
                    "maxiter": max_iter,
                    "maxfun": (max_iter + 1) * (_LINE_SEARCH + 1),
                    "maxls": _LINE_SEARCH,
                    "maxcor": _MEMORY if x.size <= _SMALL else _LITTLE_MEMORY,
                    "ftol": _FTOL,
                    "gtol": 0.0,
                },
            )
        if self._n_iter == 0:  # rounding hides what the first step would gain
            self._record(self._evaluate(result.x))
        arrived = result.success or self._tol < 0 or is_at_the_bottom(result)
        arrived = arrived or self._evaluate(result.x).largest <= self._tol
        table = self._variables.outer(result.x.reshape(-1, self._width))
        return Minimum(table, self._n_iter, arrived)

    def _function(self, x):
        """Return objective and gradient, for scipy."""
        point = self._evaluate(x)
        return point.objective, point.gradient

    def _evaluate(self, x):
        """Return the point x; what was asked last is not computed again."""
        if self._last is not None and np.array_equal(self._last.x, x):
            return self._last
        table = self._variables.outer(x.reshape(-1, self._width))
        evaluation = self._run.evaluate(table)
        weights = table[: self._variables.n_features]
        loss = evaluation.loss / self._total
        gradient = evaluation.gradient / self._total
        gradient[: self._variables.n_features] += self._strength * weights
        inner = self._variables.gradient(gradient)
        self._last = _Point(
            x=x.copy(),
            objective=loss + self._strength / 2 * float((weights**2).sum()),
            loss=loss,
            gradient=inner.ravel(),
            largest=float(max(np.abs(gradient).max(), np.abs(inner).max())),
            costs=evaluation.costs,
        )
        self._fresh.append(evaluation.costs)
        return self._last

    def _iteration(self, intermediate_result):
        """Take note of an iteration; end the last."""
        self._n_iter += 1
        point = self._evaluate(intermediate_result.x)
        self._record(point)
        self._arrived = point.x
        if point.largest <= self._tol:
            raise StopIteration

    def _record(self, point):
        """Add an entry to the history."""
        costs, self._fresh = self._fresh, []
        summed = (*SUMMED, "workers_replaced", "server_restarts")
        self._run.record(
            {
                "epoch": self._n_iter,
                "train_loss": point.loss,
                "objective": point.objective,
                "gradient": point.largest,
                "evaluations": len(costs),
                "workers": point.costs["workers"],
                "seconds": point.costs["seconds"],
                **{name: sum(cost[name] for cost in costs) for name in summed},
            }
        )


def is_at_the_bottom(result):
    """Return whether a line search that found nothing lower had nothing to find.

    By the quadratic model of L-BFGS, a whole step from there gains half the squared Newton
    decrement (Boyd and Vandenberghe, Convex Optimization, section 9.5.1).
    """
    gain = result.jac @ result.hess_inv.dot(result.jac) / 2
    return gain <= _NOTHING * max(1.0, abs(result.fun))
