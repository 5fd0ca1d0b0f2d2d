"""The learning rate over the epochs of a fit, and when to stop.

Three phases: warm up (the rate rises from zero: the first gradients are the largest), hold, cool
(the rate falls linearly to zero, which averages the noise of stochastic gradients away; see
Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations").
Cooling begins when holding brings nothing more, or in time to end with the last epoch allowed.

With an automatic rate, holding also feels its way up: as long as epochs improve the objective, the
rate grows, up to twice the start, and it steps back when the objective jumps.
"""

import copy
from dataclasses import dataclass, field
from statistics import median

_WARM_EPOCHS = 3.0
_WARM_SHARE = 0.1  # of all epochs, when they are few
_COOL_SHARE = 0.3  # of all epochs, when they run out
_FALLING_SHARES = 0.03, 0.1  # the same two, for a rate that falls by itself
_COOL_PER_EPOCH = 1.5  # epochs of cooling for each epoch before, when training has levelled off
_GROWTH, _MOST, _RETREAT, _LEAST = 1.05, 2.0, 0.9, 0.1
_JUMP = 1.1  # an objective this much above the best has jumped
_NEARLY = 100  # times tol: too much to stop for, too little to warn of


@dataclass
class Schedule:
    """Learning rates and the decision to stop.

    Parameters
    ----------
    rate : float
        Learning rate of the hold phase.
    adaptive : bool
        Whether the rate may grow and step back.
    max_iter : int
        Most epochs.
    tol : float or None
        Smallest relative improvement that counts; None: all epochs are run.
    patience : int
        Epochs without improvement that end the hold phase, at least.
    falling : bool
        Whether the update rule lowers the rate fast enough by itself: short warm-up, short cooling.
    constant : bool
        One rate for all epochs, neither warmed up nor cooled (``partial_fit``).

    Attributes
    ----------
    end : int
        Epoch at which training stops, as known now.
    stalled : bool
        Whether the hold phase ended because it brought nothing more.
    converged : bool
        Whether it had brought next to nothing more at its end: less than 100 ``tol`` from the
        epochs before to the last, relatively. Noise can hide progress, so ``_convergence.py``
        looks closer.
    """

    rate: float
    adaptive: bool
    max_iter: int
    tol: float | None
    patience: int
    falling: bool = False
    constant: bool = False
    stalled: bool = field(default=False, init=False)
    converged: bool = field(default=False, init=False)
    _factor: float = field(default=1.0, init=False)
    _objectives: list = field(default_factory=list, init=False)

    def __post_init__(self):
        self.end = self.max_iter
        self.converged = self.tol is None  # all that was asked for
        warm, cool = _FALLING_SHARES if self.falling else (_WARM_SHARE, _COOL_SHARE)
        self._cool_from = self.max_iter * (1 - cool)
        self._warm = min(_WARM_EPOCHS, warm * self.max_iter)

    def state(self):
        """Return what checkpoints and leases keep of the schedule, for JSON."""
        return copy.deepcopy(vars(self))

    @classmethod
    def of(cls, state):
        """Return the schedule that :meth:`state` was called on."""
        schedule = cls.__new__(cls)
        schedule.restore(state)
        return schedule

    def restore(self, state):
        """Go back to where :meth:`state` was called."""
        vars(self).update(copy.deepcopy(state))

    def at(self, epoch):
        """Return the learning rate at a moment, counted in epochs since the start."""
        if self.constant:
            return self.rate
        rate = self.rate * self._factor * min(1.0, (epoch + 0.02) / self._warm)
        if epoch > self._cool_from:
            rate *= max(0.0, (self.end - epoch) / (self.end - self._cool_from))
        return rate

    def update(self, objective):
        """Take note of an epoch's objective; return whether training goes on."""
        seen = self._objectives
        seen.append(objective)
        epochs = len(seen)
        if epochs <= self._cool_from and not self.stalled:
            gain = self._gain()
            self.converged = self.tol is None or gain <= _NEARLY * self.tol
            if self.tol is not None and gain <= self.tol and epochs >= 4 * self.patience:
                self.stalled = True
                self._cool_from = epochs
                self.end = min(self.max_iter, epochs + max(2, round(_COOL_PER_EPOCH * epochs)))
            elif self.adaptive and epochs > 1:
                if seen[-1] < seen[-2]:
                    self._factor = min(self._factor * _GROWTH, _MOST)
                elif seen[-1] > _JUMP * min(seen):
                    self._factor = max(self._factor * _RETREAT, _LEAST)
        return epochs < self.end

    def _gain(self):
        """Return how much the last epochs improved on as many before them, relatively.

        Medians are compared, since single epochs jump; and more epochs the longer training has
        run, since improvement slows down and its noise does not.
        """
        seen = self._objectives
        window = min(max(2 * self.patience, int(0.4 * len(seen))), len(seen) // 2)
        if window == 0:
            return float("inf")
        before, after = median(seen[-2 * window : -window]), median(seen[-window:])
        return (before - after) / abs(before) if before else 0.0
