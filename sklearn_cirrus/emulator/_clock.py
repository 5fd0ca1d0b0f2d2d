"""One thread that does things at their time: retries of events, and the end of idle slots."""

import heapq
import itertools
import logging
import threading
import time

logger = logging.getLogger(__name__)


class Clock:
    """A running thread; what it is given must not wait."""

    def __init__(self):
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, object]] = []
        self._numbers = itertools.count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cirrus-emulator-clock", daemon=True)
        self._thread.start()

    def after(self, seconds: float, do) -> None:
        """Call ``do()`` after some seconds; nothing happens when the clock is closed first."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), do))
            self._changed.notify()

    def close(self) -> None:
        """End the thread; what is not due yet is not done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        """Wait for what is due, and do it."""
        while True:
            with self._changed:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _, _, do = heapq.heappop(self._due)
            try:
                do()
            except Exception:  # the others are to be done all the same
                logger.exception("the emulator's clock")
