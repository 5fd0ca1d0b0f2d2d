"""Successive halving: which candidates of a search are not worth more epochs."""

import math


class Halving:
    """Keeps the better part of the candidates at certain epochs, the rungs.

    The rungs are at ``min_epochs``, ``min_epochs * factor``, ``min_epochs * factor ** 2``, ...
    epochs of a candidate (rounded up). Of those that have reached a rung so far, the share
    ``1 / factor`` with the smallest held-out loss goes on, at least one. A candidate that comes
    later is compared with those that were there before it (Li et al. 2020, "A system for massively
    parallel hyperparameter tuning"); where all begin together this is successive halving
    (Jamieson, Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
    optimization").

    Parameters
    ----------
    factor : float
        Larger than 1.
    min_epochs : int
        Epochs that every candidate gets.
    """

    def __init__(self, factor, min_epochs):
        self._factor = factor
        self._rung = min_epochs
        self._losses = {}  # by rung: the held-out loss of each candidate there

    def losers(self, ages, losses):
        """Return the candidates that are to be dropped, after an epoch.

        Parameters
        ----------
        ages : dict of int to int
            Epochs of each candidate that is still trained.
        losses : dict of int to float
            Their held-out losses.
        """
        reached = {}
        for candidate, age in ages.items():
            if self._is_rung(age):
                reached.setdefault(age, []).append(candidate)
                self._losses.setdefault(age, {})[candidate] = losses[candidate]
        dropped = []
        for age, candidates in reached.items():
            seen = self._losses[age]
            kept = math.ceil(len(seen) / self._factor)
            ranking = sorted(seen, key=lambda candidate: _or_infinite(seen[candidate]))
            dropped += [candidate for candidate in candidates if candidate not in ranking[:kept]]
        return dropped

    def _is_rung(self, age):
        """Return whether a number of epochs is a rung."""
        rung = self._rung
        while rung < age:
            rung = math.ceil(rung * self._factor)
        return rung == age


def _or_infinite(loss):
    """Return a loss, infinite if it is not a number, so that losses have an order."""
    return math.inf if math.isnan(loss) else loss
