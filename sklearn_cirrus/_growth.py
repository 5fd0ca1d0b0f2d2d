"""How many workers a run with ``n_workers="auto"`` has: more while they are worth their price.

Workers are paid for by the second, so the price of a run's second is proportional to their number.
The run begins with few, and their rows per second are measured. Then it gets half as many more and
is measured again. If the new ones have brought at least ``_WORTH`` of what as many of the first
ones did, that is, if a dollar spent on them buys at least that share of the rows that one bought at
first, it gets more again; else it stays so. Nobody is sent away: what has been started is there,
and its worth is about to be known for the rest of the run.

Rates are measured from the first report after all workers have sent one, over several reports of
each, so the time that workers take to start does not count.
"""

import logging

logger = logging.getLogger(__name__)

FIRST = 2
_WORTH = 0.5
_REPORTS = 4  # of each worker, that a rate is measured over


class Growth:
    """Decides about the number of workers of a run.

    Parameters
    ----------
    run_id : str
        What the log calls the run.
    most : int
        Workers at most.

    Attributes
    ----------
    wanted : int
        Workers that the run is to have.
    reason : str or None
        Why there are to be no more; None: that is still open.
    """

    def __init__(self, run_id, most):
        self._run_id, self._most = run_id, most
        self.wanted = min(FIRST, most)
        self.reason = None
        self._first = None  # rows per second of one of the first workers
        self._before = None  # the number of workers measured last, and their rows per second
        self._begin_to_measure()

    def note(self, worker, rows, now):
        """Take note of a report.

        Parameters
        ----------
        worker : int
            Place of the worker that sent it.
        rows : int
        now : float
            Seconds on any clock.
        """
        if self.reason is not None:
            return
        self._heard.add(worker)
        if len(self._heard) < self.wanted:
            return
        if self._since is None:
            self._since = now
            return
        self._rows += rows
        self._reports += 1
        if self._reports >= _REPORTS * self.wanted and now > self._since:
            self._decide(self._rows / (now - self._since))

    def _begin_to_measure(self):
        """Forget what was measured."""
        self._heard, self._since = set(), None
        self._rows = self._reports = 0

    def _decide(self, rate):
        """Grow or stay, now that the rate of this many workers is known."""
        n = self.wanted
        if self._first is None:
            self._first = rate / n
        else:
            before, rate_before = self._before
            worth = (rate - rate_before) / (n - before) / self._first
            if worth < _WORTH:
                self._stop(
                    f"{n - before} more brought {rate - rate_before:,.0f} rows/s to "
                    f"{rate_before:,.0f}: {max(worth, 0.0):.0%} of what the first ones bring for "
                    f"the same price, less than {_WORTH:.0%}"
                )
                return
        if n >= self._most:
            self._stop("these are all that it may have, or that there are blocks for")
            return
        self._before = n, rate
        self.wanted = min(self._most, n + max(1, n // 2))
        logger.info(
            "run %s: %d workers do %s rows/s; %d from now on",
            *(self._run_id, n, f"{rate:,.0f}", self.wanted),
        )
        self._begin_to_measure()

    def _stop(self, reason):
        self.reason = reason
        logger.info("run %s stays at %d workers: %s", self._run_id, self.wanted, reason)
