"""Epochs that a worker goes through by itself, because it has the only block of the data.

Were each epoch's lease posted by the trainer, trainer and worker would wake each other at the end
of every epoch, which on small data takes as long as the epoch itself. So the lease says all that
decides what comes next: the state of the schedule, and the penalty. At the end of an epoch the
worker works out the objective, asks the schedule, and draws up the lease of the next epoch. Every
so often it posts the reports of the epochs since, and the next lease, in the one transaction that
ends the lease it holds. So the board always has the lease to go on from, whoever dies.

The trainer reads the reports one after the other, does the same arithmetic on them and arrives at
the same decisions; it posts a lease only at the beginning, and after the model was made anew.
"""

import math
from dataclasses import asdict, dataclass, replace

import numpy as np

from .schedule import Schedule

MOST_WEIGHTS = 1 << 16  # of a model whose epochs a worker reads it at the end of


@dataclass(frozen=True)
class Penalty:
    """The penalty in the objective.

    Attributes
    ----------
    rows : int
        Rows of the model below this number are penalized.
    l1, l2 : float
        Weights of ``|w|_1`` and of ``|w|^2 / 2`` beside the mean loss.
    """

    rows: int
    l1: float
    l2: float

    @classmethod
    def of(cls, spec):
        """Return the penalty that a ModelSpec has."""
        return cls(spec.penalized, spec.l1, spec.l2)

    def __bool__(self):
        return self.l1 != 0 or self.l2 != 0

    def __call__(self, weights):
        """Return the penalty of weights, (rows or more, width) in float32, per row of data."""
        if not self:
            return 0.0
        w = weights[: self.rows].ravel().astype(np.float64)
        return self.of_norms(w @ w, np.abs(w).sum())

    def of_norms(self, squares, sizes):
        """Return the penalty of weights whose squares, and whose sizes, add up to these."""
        return float(self.l2 / 2 * squares + self.l1 * sizes)


class Course:
    """The epochs to come, as a lease has them.

    Parameters
    ----------
    schedule : Schedule
        In which the epochs before this lease's are noted.
    penalty : Penalty
    """

    def __init__(self, schedule, penalty):
        self.schedule = schedule
        self.penalty = penalty
        self.penalized = np.arange(penalty.rows, dtype=np.uint32)

    def state(self):
        """Return what a lease says of the course, for JSON."""
        return {"schedule": self.schedule.state(), "penalty": asdict(self.penalty)}

    @classmethod
    def of(cls, state):
        """Return the course that :meth:`state` was called on."""
        return cls(Schedule.of(state["schedule"]), Penalty(**state["penalty"]))

    def after(self, lease, report):
        """Return the lease of the epoch after one that has been reported, or None at the end.

        It lacks the state of the course, which grows with the epochs: see :meth:`lease`.
        """
        objective = report.loss / report.weight + report.penalty
        if not (math.isfinite(objective) and self.schedule.update(objective)):
            return None
        epoch = lease.epoch + 1
        rates = self.schedule.at(float(epoch)), self.schedule.at(epoch + 1.0)
        return replace(
            lease,
            number=lease.number + 1,
            epoch=epoch,
            lr=rates[0],
            lr_end=rates[1],
        )

    def lease(self, lease):
        """Return a lease that :meth:`after` gave, as it can be posted."""
        return replace(lease, course=self.state())
