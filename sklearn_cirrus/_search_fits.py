"""The fits that a search trains together: one for each candidate and split of the rows."""

from dataclasses import dataclass, field

import numpy as np

from cirrus_runtime.schedule import Schedule
from cirrus_runtime.search import Plan


@dataclass
class Fit:
    """One candidate on one split.

    Attributes
    ----------
    candidate, split : int
    schedule : Schedule
        Of its learning rate; it says when the fit is done.
    l1, l2 : float
        Weights of the penalty beside the mean loss of a row.
    class_weights : list of float
        By class, normalised: the weights of the rows it trains on are one on average over all rows.
    tests : int
        Rows of the split that are held out.
    born : int
        Epoch of the run in which it began.
    is_done : bool
        Whether it is trained no more.
    epochs : int
        It has trained.
    train_loss, held_loss : float
        Mean loss over the rows trained on, and over those held out, in its last epoch.
    seconds : float
        Its share of the time of the epochs.
    """

    candidate: int
    split: int
    schedule: Schedule
    l1: float
    l2: float
    class_weights: list
    tests: int
    born: int = 0
    is_done: bool = False
    epochs: int = 0
    train_loss: float = float("nan")
    held_loss: float = float("nan")
    seconds: float = 0.0
    _first: dict = field(init=False, repr=False)

    def __post_init__(self):
        self._first = self.schedule.state()

    def begin(self, epoch):
        """Begin anew in an epoch of the run."""
        self.schedule.restore(self._first)
        self.born, self.is_done, self.epochs = epoch, False, 0

    def mean_rate(self, epoch, n_blocks):
        """Return the mean learning rate over an epoch of the run."""
        moments = max(n_blocks, 8)
        age = epoch - self.born
        rates = [self.schedule.at(age + (i + 0.5) / moments) for i in range(moments)]
        return sum(rates) / moments

    def note(self, train_loss, penalty, held_loss):
        """Take note of an epoch."""
        self.epochs += 1
        self.train_loss, self.held_loss = float(train_loss), float(held_loss)
        self.is_done = not self.schedule.update(float(train_loss + penalty))


class Fits:
    """The fits of a table, in the order of their columns.

    To ``LastingRun`` it is what the schedule is to the run of one fit: it has a state that
    checkpoints keep.

    Parameters
    ----------
    fits : list of Fit
    classes : int
        Columns of each.
    splits : int
    """

    def __init__(self, fits, classes, splits):
        self.fits = fits
        self.classes = classes
        self.splits = splits

    def state(self):
        """Return what checkpoints keep, for JSON."""
        return {
            "fits": [
                [fit.candidate, fit.split, fit.born, fit.is_done, fit.epochs, fit.schedule.state()]
                for fit in self.fits
            ]
        }

    def restore(self, state, known):
        """Go back to where :meth:`state` was called; ``known`` has all fits by candidate, split."""
        self.fits = []
        for candidate, split, born, is_done, epochs, schedule in state["fits"]:
            fit = known[candidate, split]
            fit.born, fit.is_done, fit.epochs = born, is_done, epochs
            fit.schedule.restore(schedule)
            self.fits.append(fit)

    @property
    def going(self):
        """The fits that are still trained."""
        return [fit for fit in self.fits if not fit.is_done]

    def plan(self):
        """Return the Plan for the workers."""
        return Plan(
            *(self.classes, self.splits),
            [fit.split for fit in self.fits],
            [fit.class_weights for fit in self.fits],
        )

    def columns(self, epoch, n_blocks):
        """Return the slot ``"columns"`` for an epoch, float32 of shape (3, width).

        Factors are relative to the first fit that is still trained, which is the one that the
        leases have the learning rate of.
        """
        lead = self.lead.mean_rate(epoch, n_blocks)
        rates = [
            0.0 if fit.is_done or not lead else fit.mean_rate(epoch, n_blocks) / lead
            for fit in self.fits
        ]
        rows = [rates, [fit.l1 for fit in self.fits], [fit.l2 for fit in self.fits]]
        return np.repeat(np.array(rows, np.float32), self.classes, axis=1)

    @property
    def lead(self):
        """The first fit that is still trained."""
        return next(fit for fit in self.fits if not fit.is_done)

    def place(self, at):
        """Return the columns of the fit at a place."""
        return slice(at * self.classes, (at + 1) * self.classes)

    def penalties(self, norms, others):
        """Return the penalty of each fit, and whether its weights are finite.

        Parameters
        ----------
        norms, others : float64 arrays of shape (2, width)
            Sums over the weights that are penalized, and over those that are not, by column: of
            squares, and of sizes.
        """
        squares, sizes = norms.reshape(2, -1, self.classes).sum(axis=2)
        finite = np.isfinite(norms + others).reshape(2, -1, self.classes).all(axis=(0, 2))
        penalties = [fit.l2 / 2 * squares[i] + fit.l1 * sizes[i] for i, fit in enumerate(self.fits)]
        return penalties, finite

    def tables(self, weights, places):
        """Yield the weights of the fits at some places, of shape (rows, classes) each.

        A column of a wide table is scattered over all of it: so several are taken at a time.
        """
        for first in range(0, len(places), _TOGETHER):
            some = places[first : first + _TOGETHER]
            columns = [i * self.classes + j for i in some for j in range(self.classes)]
            taken = np.ascontiguousarray(weights.take(columns, axis=1).T)
            for i in range(len(some)):
                yield taken[self.place(i)].T


_TOGETHER = 16  # fits
