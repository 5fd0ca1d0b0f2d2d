"""How far from the optimum a fit has ended, as a few exact steps on all rows can tell.

Stochastic training cannot say so itself: its rate has cooled to zero, and with it all movement. So
some steps of conjugate gradients towards the Newton point (Nocedal & Wright 2006, "Numerical
optimization", section 7.1) are taken on the objective itself, and the objective is computed along
the line to where they lead. What it falls by is no estimate: it can be had, so a fit is never
blamed for what nobody could better. The optimum lies lower still, the more so the fewer the steps.
The weights stay as training left them.
"""

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax

_ENTRIES = 1 << 20  # values of X looked at together
_LENGTHS = 1.0, 0.5, 0.25, 0.125  # of the step along the line


class Objective:
    """The objective of logistic regression per unit of row weight, and its derivatives.

    A table of weights is float64 of shape (n_features + intercept, width), the intercepts in the
    last row; margins are float32 of shape (n_samples, width). All else is computed in float64.
    Each pass reads X in this process, some rows at a time.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features)
    labels : float array of shape (n_samples,)
        Class indices.
    weights : float64 array of shape (n_samples,) or None
    center : float64 array of shape (n_features,) or None
        Subtracted from the rows of X, so that the intercept is that of centred columns.
    intercept : bool
    width : int
        One, or the number of classes if there are three or more.
    l1, l2 : float
        Strengths of the penalty.
    """

    def __init__(self, X, labels, weights, center, intercept, width, l1, l2):
        n, d = X.shape
        self.l1, self.l2 = np.zeros((2, d + intercept, 1))
        self.l1[:d], self.l2[:d] = l1, l2
        self._X, self._labels, self._center = X, labels, center
        self._weights, self._total = weights, n if weights is None else weights.sum()
        self._intercept, self._width = intercept, width
        entries = X.nnz if sparse.issparse(X) else X.size
        step = max(1, _ENTRIES * n // max(entries, n * width))
        self._parts = [slice(first, first + step) for first in range(0, n, step)]

    def value(self, margins, table):
        """Return the objective at some weights, whose margins are given."""
        loss = 0.0
        for part in self._parts:
            scores, labels = margins[part].astype(np.float64), self._labels[part, None]
            if self._width == 1:
                losses = -log_expit(np.where(labels, scores, -scores))
            else:
                losses = -np.take_along_axis(log_softmax(scores, axis=1), labels.astype(int), 1)
            loss += (self._share(part) * losses).sum()
        return float(loss + (self.l2 / 2 * table**2 + self.l1 * np.abs(table)).sum())

    def margins(self, table):
        """Return the margins of all rows."""
        margins = np.empty((self._X.shape[0], self._width), np.float32)
        for part in self._parts:
            margins[part] = self._scores(self._rows(part), table)
        return margins

    def derivatives(self, table):
        """Return margins, and gradient and diagonal of the second derivative, without the L1."""
        margins = np.empty((self._X.shape[0], self._width), np.float32)
        gradient, diagonal = self.l2 * table, self.l2 + np.zeros_like(table)
        for part in self._parts:
            rows, share = self._rows(part), self._share(part)
            margins[part] = scores = self._scores(rows, table)
            chance = self._probabilities(scores)
            classes = np.arange(1, 2) if self._width == 1 else np.arange(self._width)
            error = chance - (self._labels[part, None] == classes)
            self._add_up(rows, share * error, gradient)
            self._add_up(rows * rows, share * chance * (1 - chance), diagonal)
        return margins, gradient, diagonal

    def curve(self, margins, direction):
        """Return what a direction adds to the margins, and its product with the second derivative.

        ``margins`` are those of the weights where the derivative is taken.
        """
        along, product = np.empty_like(margins), self.l2 * direction
        for part in self._parts:
            rows = self._rows(part)
            along[part] = slopes = self._scores(rows, direction)
            chance = self._probabilities(margins[part].astype(np.float64))
            change = chance * slopes  # the sum is over one class or all
            change -= chance * change.sum(axis=1, keepdims=True)
            self._add_up(rows, self._share(part) * change, product)
        return along, product

    def _rows(self, part):
        """Return some rows of X in float64, dense ones centred."""
        if sparse.issparse(self._X):
            return sparse.csr_array(self._X[part], dtype=np.float64)
        rows = self._X[part].astype(np.float64)
        return rows if self._center is None else rows - self._center

    def _share(self, part):
        """Return the weights of some rows, of shape (rows, 1) or one number; all sum up to one."""
        if self._weights is None:
            return 1.0 / self._total
        return self._weights[part, None] / self._total

    def _scores(self, rows, table):
        """Return the margins of some rows."""
        margins = rows @ table[: self._X.shape[1]]
        return margins + table[-1] if self._intercept else margins

    def _add_up(self, rows, of_margins, table):
        """Add the derivative by the weights to a table, from that by the margins of some rows."""
        table[: self._X.shape[1]] += rows.T @ of_margins
        if self._intercept:
            table[-1] += of_margins.sum(axis=0)

    def _probabilities(self, scores):
        """Return the probability of class 1, or of every class."""
        return expit(scores) if self._width == 1 else softmax(scores, axis=1)


def reachable_gain(objective, table, steps):
    """Return by how much, relatively, a few steps lower the objective.

    Parameters
    ----------
    objective : Objective
    table : float64 array of shape (n_features + intercept, width)
    steps : int
        Of conjugate gradients, at most; each reads all rows once, and so does the beginning. With
        an L1 penalty there are up to four more passes at the end.

    Returns
    -------
    float
        0 or more.
    """
    margins, gradient, diagonal = objective.derivatives(table)
    before = objective.value(margins, table)
    # With an L1 penalty, a weight of zero moves only where the gradient is stronger.
    sign = np.where(table == 0, -np.sign(gradient), np.sign(table))
    moves = (diagonal > 0) & ((table != 0) | (np.abs(gradient) > objective.l1))
    rest = np.where(moves, -gradient - objective.l1 * sign, 0.0)
    scale = np.where(moves, 1.0 / np.where(moves, diagonal, 1.0), 0.0)
    direction, left = scale * rest, (scale * rest**2).sum()
    step, step_margins = np.zeros_like(table), np.zeros_like(margins)
    for _ in range(steps):
        along, product = objective.curve(margins, direction)
        bend = (direction * product).sum()
        if not bend > 0:  # there is nowhere to go
            break
        length = left / bend
        step += length * direction
        step_margins += np.float32(length) * along
        rest -= length * np.where(moves, product, 0.0)
        left, last = (scale * rest**2).sum(), left
        direction = scale * rest + left / last * direction
    after = before
    for length in _LENGTHS:
        moved, moved_margins = table + length * step, margins + np.float32(length) * step_margins
        over = (objective.l1 > 0) & (moved * sign < 0)
        if over.any():  # the L1 penalty bends at zero, so a weight goes no further
            moved = np.where(over, 0.0, moved)
            moved_margins = objective.margins(moved)
        after = min(after, objective.value(moved_margins, moved))
    return (before - after) / before if before else 0.0
