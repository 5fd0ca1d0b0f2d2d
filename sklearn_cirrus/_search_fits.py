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
    width : int
        Columns that it has in the table.
    trained : float
        What the sum of the losses that it trains on is divided by.
    tests : int
        Rows (or ratings) of the split that are held out.
    l1, l2 : float
        Weights of the penalty that the server adds, beside the mean loss of a row.
    class_weights : list of float
        By class, normalised: the weights of the rows it trains on are one on average over all rows.
    born : int
        Epoch of the run in which it began.
    is_done : bool
        Whether it is trained no more.
    epochs : int
        It has trained.
    train_loss, held_loss : float
        Mean loss over the rows trained on, and over those held out, in its last epoch. (Of ratings
        the former is the objective.)
    seconds : float
        Its share of the time of the epochs.
    """

    candidate: int
    split: int
    schedule: Schedule
    width: int
    trained: float
    tests: int
    l1: float = 0.0
    l2: float = 0.0
    class_weights: list = ()
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
    splits : int
    """

    starts = ()  # slots that fits do not begin with one number in

    def __init__(self, fits, splits):
        self.fits = fits
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
            *(self.fits[0].width, self.splits),
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
        return np.repeat(np.array(rows, np.float32), self.widths, axis=1)

    def fresh(self, name, rows, fits, start):
        """Return a slot of fits that have seen nothing: ``start`` everywhere."""
        return np.full((rows, sum(fit.width for fit in fits)), start, np.float32)

    @property
    def widths(self):
        """The columns of each fit."""
        return [fit.width for fit in self.fits]

    @property
    def width(self):
        """Columns of the table."""
        return sum(self.widths)

    @property
    def lead(self):
        """The first fit that is still trained."""
        return next(fit for fit in self.fits if not fit.is_done)

    def columns_of(self, places):
        """Return the columns of the fits at some places, one after the other."""
        ends = np.cumsum(self.widths)
        return [j for i in places for j in range(ends[i] - self.fits[i].width, ends[i])]

    def penalties(self, norms, others):
        """Return the penalty of each fit, and whether its weights are finite.

        Parameters
        ----------
        norms, others : float64 arrays of shape (2, width)
            Sums over the weights that are penalized, and over those that are not, by column: of
            squares, and of sizes.
        """
        begins = np.cumsum(self.widths) - self.widths
        squares, sizes = np.add.reduceat(norms, begins, axis=1)
        finite = np.isfinite(norms + others).all(axis=0)
        penalties = [fit.l2 / 2 * squares[i] + fit.l1 * sizes[i] for i, fit in enumerate(self.fits)]
        return penalties, np.logical_and.reduceat(finite, begins)

    def tables(self, weights, places):
        """Yield the weights of the fits at some places, of shape (rows, width) each.

        A column of a wide table is scattered over all of it: so several are taken at a time.
        """
        for first in range(0, len(places), _TOGETHER):
            some = places[first : first + _TOGETHER]
            taken = np.ascontiguousarray(weights.take(self.columns_of(some), axis=1).T)
            for i in some:
                yield taken[: self.fits[i].width].T
                taken = taken[self.fits[i].width :]


_TOGETHER = 16  # fits
