"""The board of a run: where the trainer posts leases and workers post reports.

A lease is one block to go through once. A worker takes it, renews it while it works, and finishes
it with a report, or gives it back. A lease whose worker fell silent is taken over by another one,
so work is done at least once; the trainer counts a lease by its number, once. A lease and its
report change places in one transaction, so neither can be lost between them.

When the run is over, the trainer takes the board down, and whoever still uses it gets RunEnded:
that is how workers learn that they may stop, also in the middle of a wait. A trainer that was
killed takes nothing down: workers that have not heard of it for long get TrainerLost.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque

from .errors import RunEnded


class Board(ABC):
    """Leases and reports of one run. Methods raise RunEnded when the board has been taken down."""

    # For the trainer.

    def beat(self):  # noqa: B027 (on an inline board, workers are threads of the trainer's process)
        """Say that the trainer is there, if it is time to; offer() and collect() do so too."""

    @abstractmethod
    def offer(self, leases):
        """Post leases, to be taken in this order."""

    @abstractmethod
    def collect(self, timeout):
        """Return the reports that came since the last call; wait up to ``timeout`` s for one."""

    @abstractmethod
    def reclaim(self, worker, generation):
        """Post anew the leases that a worker which has ended still held; return how many."""

    @abstractmethod
    def held(self, worker, generation):
        """Return the leases that a worker holds, those taken first before the others."""

    @abstractmethod
    def silence(self):
        """Return for each (worker, generation) known how long it has not been heard of, in s."""

    @abstractmethod
    def count(self):
        """Return how many leases wait or are held."""

    @abstractmethod
    def check(self):
        """Raise RunEnded if the board has been taken down."""

    @abstractmethod
    def instance(self):
        """Return a text that changes when the server starts anew, or None if it does not say."""

    @abstractmethod
    def take_down(self):
        """End the run."""

    def close(self):  # noqa: B027 (an inline board holds no connection)
        """Close connections."""

    # For a worker. A token stands for a lease that it holds.

    def join(self):
        """Say that this worker begins; return whether it is the first to do so in its place and
        generation. Raises RunEnded.
        """
        return True

    @abstractmethod
    def take(self, timeout):
        """Return (token, lease), or None if there was none to take for ``timeout`` s."""

    @abstractmethod
    def renew(self, tokens):
        """Say that the worker is alive and still works on these leases."""

    @abstractmethod
    def finish(self, token, *reports, then=None):
        """Let go of the lease; post reports, and the lease that is to follow if there is one.

        Nothing follows a lease that was given back or finished before.
        """

    @abstractmethod
    def give_back(self, token, lease):
        """Post a lease anew that the worker will not finish, unless somebody did so before."""


class InlineBoard(Board):
    """The board of a trainer and one worker that are threads of one process."""

    def __init__(self):
        self._changed = threading.Condition()
        self._leases = deque()
        self._held = {}
        self._reports = []
        self._up = True

    def offer(self, leases):
        with self._changed:
            self._check()
            self._leases.extend(leases)
            self._changed.notify_all()

    def collect(self, timeout):
        with self._changed:
            self._wait(lambda: self._reports, timeout)
            reports, self._reports = self._reports, []
            return reports

    def reclaim(self, worker, generation):
        with self._changed:
            self._check()
            held, self._held = self._held, {}
            self._leases.extend(held.values())
            self._changed.notify_all()
            return len(held)

    def held(self, worker, generation):
        with self._changed:
            return list(self._held.values())

    def silence(self):
        return {}

    def count(self):
        with self._changed:
            return len(self._leases) + len(self._held)

    def check(self):
        with self._changed:
            self._check()

    def instance(self):
        return "inline"

    def take_down(self):
        with self._changed:
            self._up = False
            self._changed.notify_all()

    def take(self, timeout):
        with self._changed:
            self._wait(lambda: self._leases, timeout)
            if not self._leases:
                return None
            lease = self._leases.popleft()
            self._held[lease.number] = lease
            return lease.number, lease

    def renew(self, tokens):
        with self._changed:
            self._check()

    def finish(self, token, *reports, then=None):
        with self._changed:
            self._check()
            was_held = self._held.pop(token, None) is not None
            self._reports.extend(reports)
            if then is not None and was_held:
                self._leases.append(then)
            self._changed.notify_all()

    def give_back(self, token, lease):
        with self._changed:
            self._check()
            if self._held.pop(token, None) is not None:
                self._leases.append(lease)
            self._changed.notify_all()

    def _check(self):
        """Raise RunEnded once the board is down."""
        if not self._up:
            raise RunEnded("the run has ended")

    def _wait(self, condition, timeout):
        """Wait until the condition holds, the time is over or the board is down."""
        deadline = time.monotonic() + timeout
        while self._up and not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._changed.wait(left)
        self._check()
