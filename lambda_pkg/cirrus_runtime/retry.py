"""Trying again when the server cannot be reached.

Only what may be done twice is tried again: reads, pushes with a tag (the server applies each once),
reports (the trainer counts each once). Between two tries lies a time that doubles, and that is
random so that workers which lost the server together do not come back together.
"""

import logging
import random
import threading
import time

from .errors import ServerUnavailable

logger = logging.getLogger(__name__)

_FIRST, _LONGEST = 0.05, 2.0  # seconds between two tries


class Retry:
    """Calls functions, again and again while they raise ServerUnavailable.

    Parameters
    ----------
    seconds : float
        After which it gives up.
    seed : int, optional
        Of the random times.
    """

    def __init__(self, seconds, seed=None):
        self._seconds = seconds
        self._random = random.Random(seed)
        self._stopped = threading.Event()

    def __call__(self, function, *arguments):
        """Return what the function returns.

        Raises
        ------
        ServerUnavailable
            If it still does when the time is over or :meth:`stop` was called.
        """
        try:
            return function(*arguments)
        except ServerUnavailable as error:
            return self._again(function, arguments, error)

    def stop(self):
        """Try nothing again from now on; also ends a wait in another thread."""
        self._stopped.set()

    def _again(self, function, arguments, error):
        """Call until it works or the time is over."""
        deadline = time.monotonic() + self._seconds
        delay = _FIRST
        logger.warning("%s; trying again for %g s", error, self._seconds)
        while (left := deadline - time.monotonic()) > 0:
            if self._stopped.wait(min(left, delay * self._random.uniform(0.5, 1.5))):
                raise error
            delay = min(2 * delay, _LONGEST)
            try:
                return function(*arguments)
            except ServerUnavailable as again:
                error = again
        raise ServerUnavailable(f"{error} (for {self._seconds:g} s)") from error
