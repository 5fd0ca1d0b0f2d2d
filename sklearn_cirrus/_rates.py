"""The automatic batch size and learning rate of each solver.

In coordinates that are centred and scaled (see ``_columns``), the logistic loss of a minibatch of
B rows is as curved as ``(top + mean / B) / 4``: ``top`` is the largest eigenvalue of the rows'
second moment, ``mean`` their mean squared length (Gower et al. 2019, "SGD: general analysis and
improved rates", expected smoothness; 1/4 bounds the curvature of the logistic function). The step
of sgd is a small multiple of the inverse, the velocity solvers divide it by what their velocity
multiplies it with. The solvers that divide by the root of squared gradients take a rate of their
own; where the curvature holds for every column alike, ``eps`` is chosen so that their step never
exceeds that of sgd, however small the gradients become.

On wide sparse data, most of whose columns are met rarely, a column that was met once or twice must
not take a full step on so little evidence: ``eps`` is the largest gradient that one row of a
minibatch can have. Where moreover all values are one, as in click logs, a pass or two must do: the
sum of squared gradients that adagrad divides by starts at that of some hundred rows, and its rate
falls with the power 0.75 of that sum, between AdaGrad's 0.5 and the 1 of SC-Adagrad: fast enough
to average the noise away, so that warming up and cooling may be short.

``fit`` cools its rate down at the end. ``partial_fit`` cannot know where the end is: its rates are
lower and fall with the square root of the steps.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

BETA1, BETA2 = 0.9, 0.999
_EPS = 1e-8
_STEPS_PER_EPOCH = 112
_SMALLEST_BATCH, _LARGEST_BATCH = 4, 1000
_CAPPED = {"adagrad": 16.0, "ftrl": 16.0, "adam": 0.3}
_STREAM = {"adagrad": 1.0, "ftrl": 1.0, "adam": 0.02}
_WIDE = {"adagrad": 0.3, "ftrl": 0.3, "adam": 0.01}
_EVENTS = {"adagrad": 0.1, "ftrl": 0.1, "adam": 0.005}  # wide, and all values are one
_EVENTS_RATE, _EVENTS_POWER, _EVENTS_SQUARES = 0.45, 0.75, 50.0
_WIDE_COLUMNS, _WIDE_SHARE = 4096, 0.01  # wide: more columns, a smaller share of entries
_STEPS = 2.5  # in units of the inverse curvature; they may grow to twice that
_STREAM_STEPS = 1.0
_FULL_STEPS = 100  # of a stream, before its rate falls


@dataclass(frozen=True)
class Rates:
    """A learning rate, and what of the update rule goes with it.

    Attributes
    ----------
    rate : float
    eps, power_t : float
        As of ``ModelSpec``.
    squares : float
        What adagrad's sums of squared gradients start at.
    """

    rate: float
    eps: float
    power_t: float = 0.5
    squares: float = 0.0


def automatic_batch_size(n_rows):
    """Return the batch size for a number of rows."""
    return int(min(max(n_rows // _STEPS_PER_EPOCH, _SMALLEST_BATCH), _LARGEST_BATCH))


def choose_rates(solver, learning_rate, X, columns, batch_size, random_state, streaming):
    """Return the rates of a solver for data.

    Parameters
    ----------
    solver : str
    learning_rate : float or "auto"
        A number is the rate of the solver's update rule as it is published.
    X : CSR matrix or array of shape (n_samples, n_features)
    columns : Columns
    batch_size : int
    random_state : int
    streaming : bool
        Whether for ``partial_fit``.

    Returns
    -------
    Rates
    """
    rates = _automatic(solver, learning_rate, X, columns, batch_size, random_state, streaming)
    return rates if learning_rate == "auto" else replace(rates, rate=float(learning_rate))


def _automatic(solver, learning_rate, X, columns, batch_size, random_state, streaming):
    """Return the rates before a number given for the learning rate replaces theirs."""
    adaptive = solver in _CAPPED
    if adaptive and _is_wide(X):
        ones = columns.scale is None
        if solver == "adagrad" and ones and learning_rate == "auto":
            # What holds for sums of rows' gradients, in the units of means over a minibatch.
            rate = _EVENTS_RATE * batch_size ** (1 - 2 * _EVENTS_POWER)
            return Rates(rate, _EPS, _EVENTS_POWER, _EVENTS_SQUARES / batch_size**2)
        rate = (_EVENTS if ones else _WIDE)[solver]
        return Rates(rate, _EPS if solver == "adam" else 1.0 / batch_size)
    if adaptive and streaming:
        return Rates(_STREAM[solver], _EPS)
    top, mean = columns.curvature(X, random_state)
    step = 4.0 * (_STREAM_STEPS if streaming else _STEPS) / (top + mean / batch_size)
    if adaptive:
        return Rates(_CAPPED[solver], _CAPPED[solver] / step)
    return Rates(step * (1.0 - BETA1) if solver in ("momentum", "nesterov") else step, _EPS)


def _is_wide(X):
    """Return whether X is sparse with so many columns that most are met rarely.

    Not by the entries of a column, which grow with the rows: a table of ten times as many clicks
    has rare columns all the same.
    """
    if not sparse.issparse(X) or X.shape[1] <= _WIDE_COLUMNS:
        return False
    n, d = X.shape
    few = _WIDE_SHARE * n * d
    return X.nnz < few or np.count_nonzero(X.data) < few  # counting takes long


def streaming_rate(solver, rate, steps):
    """Return the rate of a stream that has seen some steps; adagrad and ftrl fall by themselves."""
    if solver in ("adagrad", "ftrl"):
        return rate
    return rate / (1.0 + steps / _FULL_STEPS) ** 0.5
