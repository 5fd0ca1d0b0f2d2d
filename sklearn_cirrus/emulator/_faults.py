"""Faults on demand: the next so many requests, or a seeded share of all.

What a fault does is done elsewhere; here it is decided. A request passes three points: the front
door (throttled, answered with 500 or 503), the queue of events (lost, delivered twice) and the
slot (slow, killed, frozen). Each point asks once for each request or invocation.
"""

import random
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field

_SHARES = ("throttle", "fail", "lose", "duplicate", "delay", "kill", "freeze")


@dataclass(frozen=True)
class RunFaults:
    """What befalls one invocation in its slot.

    Attributes
    ----------
    delay : float
        Seconds before the slot gets the event.
    kill_after : float or None
        Seconds from the event to SIGKILL.
    freeze_after, freeze_seconds : float or None
        Seconds from the event to SIGSTOP, and from there to SIGCONT (None: never).
    """

    delay: float = 0.0
    kill_after: float | None = None
    freeze_after: float | None = None
    freeze_seconds: float | None = None

    def actions(self, begin: float) -> list[tuple[float, str]]:
        """Give what is to be done to the slot and when, by the clock of ``begin``."""
        due = []
        if self.kill_after is not None:
            due.append((begin + self.kill_after, "kill"))
        if self.freeze_after is not None:
            due.append((begin + self.freeze_after, "freeze"))
            if self.freeze_seconds is not None:
                due.append((begin + self.freeze_after + self.freeze_seconds, "thaw"))
        return sorted(due)


@dataclass(frozen=True)
class FaultPlan:
    """A share of all requests to disturb, drawn from a seed.

    Each kind of fault draws from a generator of its own: the n-th request is throttled or not
    whatever the other kinds do. Times are drawn uniformly from a range.

    Parameters
    ----------
    seed : int
    throttle : float, default=0
        Share of Invoke requests answered with 429.
    fail : float, default=0
        Share of Invoke requests answered with 500 or 503.
    lose : float, default=0
        Share of events that are accepted and never run.
    duplicate : float, default=0
        Share of events that are run twice.
    delay, kill, freeze : float, default=0
        Share of invocations that are slow, killed, frozen.
    delay_seconds, kill_seconds, freeze_after_seconds, freeze_seconds : (float, float)
        Delay before the event; from the event to the kill; from the event to the freeze; length
        of the freeze.

    Raises
    ------
    ValueError
        A share is not between 0 and 1, or a range is not two ascending times.

    Examples
    --------
    >>> from sklearn_cirrus.emulator import FaultPlan, Faults
    >>> faults = Faults(FaultPlan(seed=0, throttle=0.5))
    >>> [faults.at_the_door() for _ in range(6)].count(429)
    2
    >>> FaultPlan(seed=0, kill=2)
    Traceback (most recent call last):
        ...
    ValueError: kill is a share between 0 and 1, not 2
    """

    seed: int
    throttle: float = 0.0
    fail: float = 0.0
    lose: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    kill: float = 0.0
    freeze: float = 0.0
    delay_seconds: tuple[float, float] = (0.0, 0.5)
    kill_seconds: tuple[float, float] = (0.0, 1.0)
    freeze_after_seconds: tuple[float, float] = (0.0, 1.0)
    freeze_seconds: tuple[float, float] = (0.5, 2.0)
    _draws: dict = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1, not {getattr(self, name)!r}")
            self._draws[name] = random.Random(f"{self.seed}:{name}")
        for name in ("delay_seconds", "kill_seconds", "freeze_after_seconds", "freeze_seconds"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} is (least, most) in seconds, not {(low, high)!r}")

    def _strikes(self, name: str) -> bool:
        """Draw whether a fault happens."""
        return self._draws[name].random() < getattr(self, name)

    def _seconds(self, kind: str, name: str) -> float:
        """Draw a time."""
        return self._draws[kind].uniform(*getattr(self, name))


class Faults:
    """The faults of one emulator.

    The methods that take ``n`` arrange for the next ``n`` requests or invocations, of any
    function; those of one kind queue up. ``plan`` may be set to a :class:`FaultPlan`, or None.

    Examples
    --------
    >>> from sklearn_cirrus.emulator import Faults
    >>> faults = Faults()
    >>> faults.throttle(2)
    >>> faults.fail(status=503)
    >>> [faults.at_the_door() for _ in range(4)]
    [429, 429, 503, None]
    """

    def __init__(self, plan: FaultPlan | None = None):
        self.plan = plan
        self._lock = threading.Lock()
        self._next = defaultdict(deque)

    def throttle(self, n: int = 1) -> None:
        """Answer the next n Invoke requests with TooManyRequestsException (429)."""
        self._add("door", n, 429)

    def fail(self, n: int = 1, status: int = 500) -> None:
        """Answer the next n Invoke requests with 500 or 503.

        Raises
        ------
        ValueError
            Another status.
        """
        if status not in (500, 503):
            raise ValueError(f"status must be 500 or 503, not {status!r}")
        self._add("door", n, status)

    def lose(self, n: int = 1) -> None:
        """Accept the next n events, and never run them."""
        self._add("event", n, "lost")

    def duplicate(self, n: int = 1) -> None:
        """Run the next n events twice."""
        self._add("event", n, "duplicate")

    def delay(self, seconds: float, n: int = 1) -> None:
        """Let the next n invocations wait before their slot gets the event."""
        self._add("delay", n, seconds)

    def kill(self, after: float = 0.0, n: int = 1) -> None:
        """Kill the slots of the next n invocations, that many seconds after they got the event."""
        self._add("kill", n, after)

    def freeze(self, after: float = 0.0, seconds: float | None = None, n: int = 1) -> None:
        """Stop the slots of the next n invocations, and let them go on after some seconds."""
        self._add("freeze", n, (after, seconds))

    def clear(self) -> None:
        """Forget all that is arranged, and the plan."""
        with self._lock:
            self._next.clear()
            self.plan = None

    def at_the_door(self) -> int | None:
        """Decide about one Invoke request: the status to answer with, or None."""
        with self._lock:
            if self._next["door"]:
                return self._next["door"].popleft()
            plan = self.plan
            if plan and plan._strikes("throttle"):
                return 429
            if plan and plan._strikes("fail"):
                return plan._draws["fail"].choice((500, 503))
            return None

    def of_event(self) -> str | None:
        """Decide about one event: ``lost``, ``duplicate`` or None."""
        with self._lock:
            if self._next["event"]:
                return self._next["event"].popleft()
            plan = self.plan
            if plan and plan._strikes("lose"):
                return "lost"
            return "duplicate" if plan and plan._strikes("duplicate") else None

    def of_run(self) -> RunFaults:
        """Decide about one invocation in its slot."""
        with self._lock:
            plan = self.plan
            delay, kill, (after, seconds) = 0.0, None, (None, None)
            if self._next["delay"]:
                delay = self._next["delay"].popleft()
            elif plan and plan._strikes("delay"):
                delay = plan._seconds("delay", "delay_seconds")
            if self._next["kill"]:
                kill = self._next["kill"].popleft()
            elif plan and plan._strikes("kill"):
                kill = plan._seconds("kill", "kill_seconds")
            if self._next["freeze"]:
                after, seconds = self._next["freeze"].popleft()
            elif plan and plan._strikes("freeze"):
                after = plan._seconds("freeze", "freeze_after_seconds")
                seconds = plan._seconds("freeze", "freeze_seconds")
            return RunFaults(delay, kill, after, seconds)

    def _add(self, point: str, n: int, what) -> None:
        """Queue a fault n times."""
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n!r}")
        with self._lock:
            self._next[point].extend([what] * n)
