"""How long tasks take, and which take much longer than the others."""

import collections
import statistics

_KNOWN = 3  # tasks that must have ended before one can be said to take longer
_TIMES = 4.0  # the median, from which on a task is a straggler
_SHORT = 2.0  # seconds; what has not run longer is none


class Pace:
    """The seconds that each call of the last tasks took."""

    def __init__(self):
        self._seconds = collections.deque(maxlen=1000)

    def note(self, attempt):
        """Note an attempt that has ended well."""
        self._seconds.append(attempt.elapsed / attempt.task.size)

    def stragglers(self, running):
        """Return the tasks with a single attempt that runs for much longer than is usual.

        Parameters
        ----------
        running : iterable of Attempt

        Returns
        -------
        list of Task
        """
        if len(self._seconds) < _KNOWN:
            return []
        usual = statistics.median(self._seconds)
        return [
            attempt.task
            for attempt in running
            if len(attempt.task.running) == 1
            and not attempt.task.is_done
            and attempt.elapsed > max(_SHORT, _TIMES * usual * attempt.task.size)
        ]
