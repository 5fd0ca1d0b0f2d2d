"""The automatic batch size and learning rate of matrix factorization, by solver."""

from dataclasses import dataclass

BETA1, BETA2 = 0.9, 0.999
_RATES = {
    "sgd": 8.0,
    "momentum": 0.8,
    "nesterov": 0.8,
    "adagrad": 0.2,
    "adam": 0.02,
    "ftrl": 0.2,
}


@dataclass(frozen=True)
class Rates:
    """A learning rate, and what of the update rule goes with it.

    Attributes
    ----------
    rate : float
    eps : float
        As of ``ModelSpec``.
    squares : float
        What the sums of squared gradients of adagrad and ftrl start at.
    """

    rate: float
    eps: float = 1e-8
    squares: float = 0.0


def automatic_batch_size(n_users, n_ratings):
    """Return a number of users."""
    return max(1, round(4000 * n_users / n_ratings))


def choose_rates(solver, learning_rate, ratings, n_items):
    """Return the rates of a solver; ``ratings`` is the number in a minibatch."""
    rate = _RATES[solver] if learning_rate == "auto" else float(learning_rate)
    squares = (8.0 / ratings) ** 2 if solver in ("adagrad", "ftrl") else 0.0
    if solver == "adam":
        return Rates(rate, 8.0 / ratings)
    return Rates(rate, squares=squares)
