"""What a fit shows of its progress."""

import time

from ._bar import Bar
from ._cost import dollars


class Progress:
    """A line over epochs, with loss, speed, workers and cost; see :class:`Bar` for where.

    Parameters
    ----------
    verbose : int
        0: no line.
    n_rows : int
        Rows of an epoch.
    max_iter : int
    label : str
    cost : callable
        Returns the US dollars spent so far.
    """

    def __init__(self, verbose, n_rows, max_iter, label, cost=lambda: 0.0):
        self._n_rows = n_rows
        self._cost = cost
        self._done = self._rows = 0
        self._entry = None
        self._began = time.perf_counter()
        self._bar = Bar(label, max_iter, "epoch {n:.1f}/{total:.0f}") if verbose else None

    def __call__(self, rows, entry):
        """Take note of the rows done in the running epoch, or of an epoch's history entry."""
        if self._bar is None:
            return
        now = self._done + min(1.0, rows / self._n_rows)
        if entry is not None:
            now = self._done = entry["epoch"]
            self._rows += entry["rows"]
            self._entry = entry
        speed = (self._rows + rows) / (time.perf_counter() - self._began)
        self._bar.show(now, ", ".join(_words(self._entry, speed, self._cost())))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._bar is not None:
            self._bar.close(is_done=error is None)


def _words(entry, speed, cost):
    """Return what a line says: of the last entry of the history, if there is one, and of now."""
    words = [] if entry is None else [f"loss {entry['train_loss']:.4f}"]
    if entry is not None and "valid_loss" in entry:
        words.append(f"held-out {entry['valid_loss']:.4f}")
    words.append(f"{speed:,.0f} rows/s")
    if entry is not None:
        words.append(f"{entry['workers']} worker{'s' * (entry['workers'] != 1)}")
    return [*words, dollars(cost)]
