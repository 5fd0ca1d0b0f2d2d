"""What a fit on AWS costs: what was used, times the list prices of ``prices.py``.

Counted are the seconds and requests of Lambda, the requests to S3, and the hours of a server's
host that `deploy` has put up. Not counted: blocks in the bucket (cents for a terabyte-hour), data
that leaves AWS, and free allowances, which are the account's and not a fit's.

Lambda says at the end of an invocation what it charges for. Until then, and for one that ends
unseen, the time since its request was sent is taken, which is a little more.
"""

import logging
import threading
import time
from itertools import count

from .exceptions import ConfigurationError, PriceUnknown
from .prices import price

logger = logging.getLogger(__name__)

_FREE_TMP = 512  # MB


class Meter:
    """Counts what a fit uses; called from the threads that wait for invocations.

    Parameters
    ----------
    region : str
    architecture : {"arm64", "x86_64"}
    memory, tmp_size : int
        Of the function, in MB.
    host : str or None
        Type of the server's host, such as ``"c7g.large"``, if it is one of ours.
    max_cost : float or None
        US dollars; only to refuse a region whose prices are not known.

    Raises
    ------
    ConfigurationError
        There is a ``max_cost``, and a price is not known.
    """

    def __init__(self, region, architecture, memory, tmp_size=512, host=None, max_cost=None):
        self._lock = threading.Lock()
        self._numbers = count()
        self._running = {}
        self._seconds = 0.0
        self._requests = 0
        self._s3 = {"get": 0, "put": 0}
        self._began = time.monotonic()
        self._ended = None
        try:
            gigabytes = price(region, f"lambda.gb_second.{architecture}").dollars * memory / 1024
            beyond = max(0, tmp_size - _FREE_TMP)
            if beyond:
                gigabytes += price(region, "lambda.tmp_gb_second").dollars * beyond / 1024
            self._of_second = gigabytes
            self._of_request = price(region, "lambda.request").dollars
            self._of_s3 = {kind: price(region, f"s3.{kind}").dollars for kind in self._s3}
            self._of_hour = price(region, f"host.{host}").dollars if host else 0.0
        except PriceUnknown as error:
            if max_cost is not None:
                raise ConfigurationError(f"max_cost cannot be held to: {error}") from error
            logger.warning("cost_ will be nan: %s", error)
            self._of_second = self._of_request = self._of_hour = float("nan")
            self._of_s3 = dict.fromkeys(self._s3, 0.0)

    def begin(self):
        """Note that a request was sent; return a number that stands for it."""
        with self._lock:
            ticket = next(self._numbers)
            self._running[ticket] = time.monotonic()
            return ticket

    def forget(self, ticket):
        """Note that a request was refused: it costs nothing."""
        with self._lock:
            del self._running[ticket]

    def end(self, ticket, billed, report):
        """Note that an invocation has ended.

        Parameters
        ----------
        ticket : int
        billed : int or None
            Milliseconds that Lambda charges for; None: the time since the request.
        report : dict
            ``gets`` and ``puts``: requests to S3.
        """
        with self._lock:
            elapsed = time.monotonic() - self._running.pop(ticket)
            self._seconds += elapsed if billed is None else billed / 1000
            self._requests += 1
            for kind in self._s3:
                self._s3[kind] += report.get(f"{kind}s", 0)

    def lose(self, ticket):
        """Note that no answer will come to a request."""
        self.end(ticket, None, {})

    def stop(self):
        """Note the end of the fit: nothing grows any more."""
        with self._lock:
            self._ended = self._ended or time.monotonic()

    def dollars(self, requests):
        """Return the cost so far in US dollars, or nan if a price is not known.

        Parameters
        ----------
        requests : mapping
            This process's own requests to S3: ``"get"`` and ``"put"``.
        """
        with self._lock:
            now = self._ended or time.monotonic()
            running = sum(max(0.0, now - begin) for begin in self._running.values())
            return (
                (self._seconds + running) * self._of_second
                + (self._requests + len(self._running)) * self._of_request
                + sum(
                    (self._s3[kind] + requests.get(kind, 0)) * dollars
                    for kind, dollars in self._of_s3.items()
                )
                + (now - self._began) / 3600 * self._of_hour
            )


def dollars(amount):
    """Return an amount of US dollars as text: to four decimals, if it is small."""
    if amount != amount:
        return "unknown"  # the prices of a region are
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
