"""The automatic batch size and learning rate of each solver.

In coordinates that are centred and scaled (see ``_columns``), the logistic loss of a minibatch of
B rows is as curved as ``(top + mean / B) / 4``: ``top`` is the largest eigenvalue of the rows'
second moment, ``mean`` their mean squared length (Gower et al. 2019, "SGD: general analysis and
improved rates", expected smoothness; 1/4 bounds the curvature of the logistic function). The step
of sgd is a small multiple of the inverse, the velocity solvers divide it by what their velocity
multiplies it with. The solvers that divide by the root of squared gradients take a rate of their
own; on dense data, where the curvature is known to hold for every column alike, ``eps`` is chosen
so that their step never exceeds that of sgd, however small the gradients become. On sparse data
``eps`` is the largest gradient that one row of a minibatch can have: a column that was met once or
twice does not take a full step on so little evidence.
"""

from dataclasses import dataclass

from scipy import sparse

BETA1, BETA2 = 0.9, 0.999
_EPS = 1e-8
_STEPS_PER_EPOCH = 112
_SMALLEST_BATCH, _LARGEST_BATCH = 4, 1000
_DENSE = {"adagrad": 16.0, "ftrl": 16.0, "adam": 0.3}
_SPARSE = {"adagrad": 0.1, "ftrl": 0.1, "adam": 0.005}
_STEPS = 2.5  # in units of the inverse curvature; they may grow to twice that


@dataclass(frozen=True)
class Rates:
    """A learning rate, and the ``eps`` that goes with it."""

    rate: float
    eps: float


def automatic_batch_size(n_rows):
    """Return the batch size for a number of rows."""
    return int(min(max(n_rows // _STEPS_PER_EPOCH, _SMALLEST_BATCH), _LARGEST_BATCH))


def automatic_rates(solver, X, columns, batch_size, random_state):
    """Return the rates of a solver for data.

    Parameters
    ----------
    solver : str
    X : CSR matrix or array of shape (n_samples, n_features)
    columns : Columns
    batch_size : int
    random_state : int

    Returns
    -------
    Rates
    """
    if solver in _SPARSE and sparse.issparse(X):
        return Rates(_SPARSE[solver], _EPS if solver == "adam" else 1.0 / batch_size)
    top, mean = columns.curvature(X, random_state)
    step = 4.0 * _STEPS / (top + mean / batch_size)
    if solver == "sgd":
        return Rates(step, _EPS)
    if solver in ("momentum", "nesterov"):
        return Rates(step * (1.0 - BETA1), _EPS)
    return Rates(_DENSE[solver], _DENSE[solver] / step)
