"""One run or search, as its journal tells it."""

import json
import time
from array import array

from .._journal import is_held
from ._speeds import left_of, speeds_of

_OF_EPOCH = ("seconds", "cost", "rows", "updates", "train_loss", "valid_loss")
_OF_STATE = (
    *("seconds", "cost", "working", "starting", "waiting", "relaunches"),
    *("done", "running", "queued"),  # tasks of a call
    *("server_memory", "server_ops", "server_load"),
)
_OF_CANDIDATE = ("epochs", "held_out_loss", "train_loss", "status")
_CHUNK = 1 << 20  # bytes that are read at a time
_SILENCE_SECONDS = 3.0  # of a journal that is still written to: then its process is looked for
_SHOWN_FAULTS = 20
_NAN = float("nan")


class Record:
    """What is known of a journal so far.

    Parameters
    ----------
    path : Path
        Of the journal.

    Attributes
    ----------
    name : str
        Of the journal.
    version : int
        Grows with every change.
    epochs, states : dict of str to array of float
        Columns, nan where nothing is known. ``rows`` and ``updates`` are sums since the beginning.
    candidates : list of dict
        Parameters.
    standing : dict
        By candidate: epochs, held-out loss, train loss, status; of a call: score, number of
        scores, metric.
    """

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.version = 0
        self.epochs = {name: array("d") for name in _OF_EPOCH}
        self.states = {name: array("d") for name in _OF_STATE}
        self.candidates = []
        self.standing = {}
        self.start = None
        self._epoch = {}
        self._state = {}
        self._end = None
        self._faults = []
        self._refused = []
        self._read = 0  # bytes
        self._rest = b""
        self._changed = time.monotonic()
        self._is_lost = self._is_stopping = False

    def refresh(self, size, deadline):
        """Read what has come, until a deadline; ``size`` is that of the file.

        Returns
        -------
        bool
            Whether all has been read.
        """
        if self._read < size:
            with open(self.path, "rb") as file:
                file.seek(self._read)
                while self._read < size and time.monotonic() < deadline:
                    chunk = file.read(min(_CHUNK, size - self._read))
                    if not chunk:
                        break
                    self._read += len(chunk)
                    self._take(chunk)
            self._changed = time.monotonic()
            self.version += 1
        elif self._end is None and time.monotonic() - self._changed > _SILENCE_SECONDS:
            self._changed = time.monotonic()
            is_lost = not is_held(self.path)
            self.version += is_lost != self._is_lost
            self._is_lost = is_lost
        return self._read >= size

    def _take(self, chunk):
        """Take the whole lines of what was read."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        try:
            events = json.loads(b"[" + b",".join(lines) + b"]")  # much faster than one by one
        except ValueError:
            events = [event for event in map(_parse, lines) if event is not None]
        for event in events:
            take = self._TAKERS.get(event.get("event")) if isinstance(event, dict) else None
            if take is not None:
                take(self, event)

    def _take_start(self, event):
        self.start = event

    def _take_epoch(self, event):
        self._epoch = event
        updates = self.epochs["updates"]
        before = updates[-1] if updates else 0.0
        for name, column in self.epochs.items():
            value = _number(event.get(name))
            column.append(before + value if name == "updates" else value)

    def _take_state(self, event):
        self._state = event
        self._faults += event.get("faults", ())
        for name, column in self.states.items():
            column.append(_number(event.get(name)))

    def _take_end(self, event):
        self._end = event

    def _take_stopping(self, event):
        self._is_stopping = True

    def _take_candidates(self, event):
        self.candidates += event["params"]

    def _take_standing(self, event):
        for candidate, *values in event["candidates"]:
            self.standing[candidate] = values

    def _take_refused(self, event):
        self._refused.append(event.get("what"))

    _TAKERS = {
        "start": _take_start,
        "epoch": _take_epoch,
        "state": _take_state,
        "end": _take_end,
        "stopping": _take_stopping,
        "candidates": _take_candidates,
        "standing": _take_standing,
        "scores": _take_standing,
        "refused": _take_refused,
    }

    @property
    def kind(self):
        """``run``, ``search`` or ``call``."""
        return (self.start or {}).get("kind")

    @property
    def has_ended(self):
        """Whether the journal tells of its end."""
        return self._end is not None

    @property
    def remaining(self):
        """How many epochs, or tasks of a call, there are still to be, or None."""
        if self.kind == "call":
            total, done = self._state.get("total"), self._state.get("done")
        else:
            total, done = (self.start or {}).get("max_iter"), self._epoch.get("epoch", 0)
        return None if None in (total, done) else max(0, total - done)

    @property
    def status(self):
        """``running``, ``stopping``, ``lost`` (its process has vanished), or why it has ended."""
        if self._end is not None:
            return self._end["reason"]
        if self._is_lost:
            return "lost"
        return "stopping" if self._is_stopping else "running"

    def summary(self):
        """Return what the page shows of it beside curves, a dict for JSON."""
        start, last = self.start or {}, self._end or {}
        latest = max((self._epoch, self._state), key=lambda event: event.get("seconds", 0.0))
        seconds = last.get("seconds", latest.get("seconds", 0.0))
        cost = last.get("cost", latest.get("cost"))
        state, speeds = self._state, speeds_of(self)
        left = left_of(self, speeds)
        spending = speeds["cost_per_second"]
        names = ("id", "kind", "time", "estimator", "params", "settings", "max_iter", "search")
        return {
            **{name: start.get(name) for name in (*names, "candidate", "splits")},
            "name": self.name,
            "status": self.status,
            "error": last.get("error"),
            "seconds": seconds,
            "cost": cost,
            "epoch": self._epoch.get("epoch", 0),
            **{name: self._epoch.get(name) for name in ("train_loss", "valid_loss", "fits")},
            "objective": self._epoch.get("objective"),
            "rows_of_data": start.get("rows"),
            "rows": latest.get("rows", 0),
            **speeds,
            "left": left,
            "forecast": None if None in (cost, left, spending) else cost + left * spending,
            "workers": {name: state.get(name) for name in ("working", "starting", "waiting")},
            "tasks": {name: state.get(name) for name in ("done", "running", "queued", "total")},
            **{name: state.get(name) for name in ("cold_starts", "copies", "bytes", "memory")},
            **{name: state.get(name) for name in ("server_memory", "server_limit")},
            **{name: state.get(name) for name in ("server_ops", "server_load")},
            "relaunches": max(event.get("relaunches") or 0 for event in (state, self._epoch)),
            "restarts": self._epoch.get("restarts", 0),
            "faults": self._faults[-_SHOWN_FAULTS:],
            "refused": self._refused[-_SHOWN_FAULTS:],
            "n_candidates": len(self.candidates),
        }

    def leaderboard(self):
        """Return the candidates of which there is a result, the best first."""
        is_call = self.kind == "call"
        names = ("score", "splits", "metric") if is_call else _OF_CANDIDATE
        by, sign = ("score", -1.0) if is_call else ("held_out_loss", 1.0)
        rows = []
        for candidate, values in self.standing.items():
            params = self.candidates[candidate] if candidate < len(self.candidates) else {}
            rows.append(
                {"candidate": candidate, "params": params, **dict(zip(names, values, strict=True))}
            )
        return sorted(rows, key=lambda row: (row[by] is None, sign * (row[by] or 0.0)))


def _number(value):
    """Return a number as a float, nan in place of anything else."""
    return float(value) if isinstance(value, int | float) else _NAN


def _parse(line):
    """Return what is in a line of JSON, or None."""
    try:
        return json.loads(line)
    except ValueError:
        return None
