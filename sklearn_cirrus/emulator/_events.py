"""Asynchronous invocations: the queue between "202 Accepted" and the function.

As on Lambda, an event whose function fails is tried again after one minute and after two (times
``delay_scale``), and one that finds no concurrency waits one second, then twice as long each time
up to five minutes, until it runs or is older than MaximumEventAgeInSeconds.
"""

import logging
import threading
import time
from dataclasses import dataclass, replace

from ..exceptions import CirrusError
from ._clock import Clock
from ._errors import ApiError
from ._execution import Execution, Order
from ._limits import EVENT_AGE_SECONDS, RETRY_ATTEMPTS
from ._records import Invocation, Records

logger = logging.getLogger(__name__)
_RETRY_SECONDS = (60.0, 120.0)
_THROTTLE_SECONDS = (1.0, 300.0)


@dataclass
class _Event:
    """An event in the queue."""

    function: object
    order: Order
    accepted: float  # time.time()
    throttles: int = 0


class EventQueue:
    """Runs events on threads of their own, each when its time has come.

    Parameters
    ----------
    clock : Clock
    capacity : Capacity
    execution : Execution
    records : Records
    faults : Faults
    delay_scale : float
        Factor of all waits of the queue.
    """

    def __init__(self, clock: Clock, capacity, execution: Execution, records, faults, delay_scale):
        self._clock = clock
        self._capacity = capacity
        self._execution = execution
        self._records: Records = records
        self._faults = faults
        self._delay_scale = delay_scale
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._waiting = 0
        self._closed = False

    def put(self, function, order: Order) -> None:
        """Accept an event, and lose or double it if that is arranged."""
        fault = self._faults.of_event()
        event = _Event(function, order, time.time())
        if fault == "lost":
            self._drop(event, "lost")
            return
        for _ in range(2 if fault == "duplicate" else 1):
            with self._lock:
                self._waiting += 1
            self._try(replace(event))

    def unfinished(self) -> int:
        """Give how many events wait or run."""
        with self._lock:
            return self._waiting

    def close(self) -> None:
        """Wait for the threads of events; the pool has killed what they wait for."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _try(self, event: _Event) -> None:
        """Start an event, or have it tried later."""
        config = event.function.event_config
        age_limit = config.get("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS[1])
        if event.function.is_deleted or (time.time() - event.accepted) > age_limit:
            self._drop(event, "expired")
            self._finished()
            return
        try:
            self._capacity.acquire(event.function.name)
        except ApiError:
            least, most = _THROTTLE_SECONDS
            wait = min(least * 2**event.throttles, most)
            event.throttles = min(event.throttles + 1, 10)
            self._clock.after(wait * self._delay_scale, lambda: self._try(event))
            return
        thread = threading.Thread(
            target=self._run, args=(event,), name="cirrus-emulator-event", daemon=True
        )
        with self._lock:
            if self._closed:
                self._capacity.release(event.function.name)
                return
            self._threads.add(thread)
            thread.start()

    def _run(self, event: _Event) -> None:
        """Run an event, and have it run again if it failed."""
        try:
            try:
                result = self._execution.run(event.function, event.order)
            finally:
                self._capacity.release(event.function.name)
            attempt = event.order.attempt
            most = event.function.event_config.get("MaximumRetryAttempts", RETRY_ATTEMPTS[1])
            if result.is_error and attempt < most:
                again = replace(event, order=replace(event.order, attempt=attempt + 1))
                wait = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                self._clock.after(wait * self._delay_scale, lambda: self._try(again))
            else:
                self._finished()
        except (ApiError, CirrusError, OSError) as error:  # mostly the emulator's own end
            logger.log(
                logging.DEBUG if self._closed else logging.ERROR,
                "the event %s of %s is given up: %s",
                event.order.request_id,
                event.function.name,
                error,
            )
            self._finished()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _finished(self) -> None:
        """Count an event out."""
        with self._lock:
            self._waiting -= 1

    def _drop(self, event: _Event, outcome: str) -> None:
        """Record an event that never ran."""
        order = event.order
        self._records.add(
            Invocation(
                order.request_id,
                event.function.name,
                order.kind,
                order.attempt,
                None,
                None,
                event.accepted,
                time.time(),
                outcome,
            )
        )
