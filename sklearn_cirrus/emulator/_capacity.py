"""Concurrency: how many invocations may run at once, of one function and of the account."""

import threading
from collections import Counter

from ._errors import invalid, throttled
from ._limits import MINIMUM_UNRESERVED


class Capacity:
    """Counts what runs against the account's limit and the functions' reservations.

    Parameters
    ----------
    account : int
        The account's limit.
    """

    def __init__(self, account: int):
        self.account = account
        self._lock = threading.Lock()
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()

    def reserve(self, name: str, amount: int) -> None:
        """Set a reservation aside, unless too little would be left for the others.

        Raises
        ------
        ApiError
            Fewer than 100 would be left (or than the account has, if that is less).
        """
        least = min(MINIMUM_UNRESERVED, self.account)
        with self._lock:
            others = sum(n for other, n in self._reserved.items() if other != name)
            if self.account - others - amount < least and amount > 0:
                raise invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{least}]."
                )
            self._reserved[name] = amount

    def unreserve(self, name: str) -> None:
        """Give a reservation back; without one, nothing happens."""
        with self._lock:
            self._reserved.pop(name, None)

    def reserved(self, name: str) -> int | None:
        """Give the reservation of a function."""
        with self._lock:
            return self._reserved.get(name)

    def unreserved(self) -> int:
        """Give what all functions without a reservation share."""
        with self._lock:
            return self.account - sum(self._reserved.values())

    def acquire(self, name: str) -> None:
        """Count one more invocation, or refuse it.

        Raises
        ------
        ApiError
            TooManyRequestsException.
        """
        with self._lock:
            if name in self._reserved:
                if self._running[name] >= self._reserved[name]:
                    raise throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            else:
                running = sum(
                    count for other, count in self._running.items() if other not in self._reserved
                )
                if running >= self.account - sum(self._reserved.values()):
                    raise throttled("ConcurrentInvocationLimitExceeded")
            self._running[name] += 1

    def release(self, name: str) -> None:
        """Count one invocation less."""
        with self._lock:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]

    def running(self) -> int:
        """Give the number of invocations that run now."""
        with self._lock:
            return self._running.total()
