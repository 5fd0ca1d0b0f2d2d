"""What is known of the candidates of a search while it runs, and what is wished of it.

Other threads and callbacks may wish at any time; the thread of the search looks at the wishes
between two epochs.
"""

import threading
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Standing:
    """How a fit outside a table has ended; of a :class:`Fit` the same names are read.

    Attributes
    ----------
    candidate : int
    epochs : int
    train_loss, held_loss : float
        NaN if it has failed.
    """

    candidate: int
    epochs: int = 0
    train_loss: float = float("nan")
    held_loss: float = float("nan")


class SearchBoard:
    """Candidates, their standing, and wishes. Methods may be called from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._candidates = []
        self._taken = 0
        self._dropped = set()
        self._standing = {}
        self.is_stopped = False

    def add(self, candidates):
        """Add candidates, dicts of parameters; return their numbers."""
        with self._lock:
            first = len(self._candidates)
            self._candidates += candidates
            return list(range(first, len(self._candidates)))

    def drop(self, candidates):
        """Wish that candidates be trained no more."""
        with self._lock:
            unknown = sorted(set(candidates) - set(range(len(self._candidates))))
            if unknown:
                raise ValueError(
                    f"there are no candidates {unknown}: they are numbered from 0 to "
                    f"{len(self._candidates) - 1}"
                )
            self._dropped.update(candidates)

    def stop(self):
        """Wish that the search end with what it has."""
        self.is_stopped = True

    @property
    def candidates(self):
        """The parameters of all candidates so far."""
        with self._lock:
            return list(self._candidates)

    def take_new(self):
        """Return (number, parameters) of the candidates that were not returned before."""
        with self._lock:
            first, self._taken = self._taken, len(self._candidates)
            return list(enumerate(self._candidates))[first:]

    def take_dropped(self):
        """Return the candidates that are to be dropped, by a wish not yet returned."""
        with self._lock:
            dropped, self._dropped = self._dropped, set()
            return dropped

    def note(self, fits, status):
        """Take note of how the fits of one candidate stand."""
        with self._lock:
            losses = [fit.held_loss for fit in fits]
            self._standing[fits[0].candidate] = {
                "candidate": fits[0].candidate,
                "params": self._candidates[fits[0].candidate],
                "epochs": max(fit.epochs for fit in fits),
                "held_out_loss": float(np.mean(losses)),
                "train_loss": float(np.mean([fit.train_loss for fit in fits])),
                "status": status,
            }

    def loss_of(self, candidate):
        """Return the held-out loss of a candidate in its last epoch, over all splits."""
        with self._lock:
            return self._standing[candidate]["held_out_loss"]

    def leaderboard(self):
        """Return the standing of the candidates, the smallest held-out loss first."""
        with self._lock:
            rows = [dict(row) for row in self._standing.values()]
        return sorted(rows, key=lambda row: (np.isnan(row["held_out_loss"]), row["held_out_loss"]))
