"""The curves of a record, thinned out for the page."""

import numpy as np

from ._downsampling import largest_triangles

AXES = ("seconds", "cost", "rows")  # what curves may be drawn against

# Curves that are against time whatever is chosen.
_OF_TIME = (
    *("working", "starting", "waiting", "relaunches"),
    *("server_memory", "server_ops", "server_load"),
)
_POINTS = 400  # of a curve
_BINS = 100  # of time, over which speeds are means
_BINS_OF_CALL = 20  # tasks are few, and end together


def curves_of(record, axis, parts=()):
    """Return the curves of a record by name, each a pair of lists (x, y).

    They are thinned out by :func:`largest_triangles`, but for speeds, which are means over
    hundredths of the time: epochs of a small fit end faster than the clock of their reports ticks.

    Parameters
    ----------
    record : Record
    axis : {"seconds", "cost", "rows"}
    parts : iterable of Record
        Of a search: its runs, whose workers and servers are its own.
    """
    epochs = {name: np.array(column) for name, column in record.epochs.items()}
    states = _states_of(record, parts)
    if record.kind == "call":
        x = states.get(axis, np.full(len(states["seconds"]), np.nan))
        curves = {name: _thin(x, states[name]) for name in ("done", "running", "queued")}
        curves["tasks_per_second"] = _speed(states["seconds"], states["done"], x, _BINS_OF_CALL)
    else:
        x = epochs[axis]
        curves = {name: _thin(x, epochs[name]) for name in ("train_loss", "valid_loss")}
        for name in ("rows", "updates"):
            curves[f"{name}_per_second"] = _speed(epochs["seconds"], epochs[name], x)
    if axis == "seconds":
        for name in _OF_TIME:
            curves[name] = _thin(states["seconds"], states[name])
        spent = states if record.kind == "call" else epochs
        curves["cost"] = _thin(x, spent["cost"])
    return curves


def _states_of(record, parts):
    """Return the columns of a record's states, or of those of its parts, by its own clock."""
    columns = {name: [np.array(column)] for name, column in record.states.items()}
    for part in parts:
        late = part.start["time"] - record.start["time"]
        for name, column in part.states.items():
            columns[name].append(np.array(column) + (late if name == "seconds" else 0.0))
    return {name: np.concatenate(column) for name, column in columns.items()}


def _thin(x, y):
    """Return a curve of a few hundred points."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    kept = largest_triangles(x, y, _POINTS)
    return [x[kept].tolist(), y[kept].tolist()]


def _speed(seconds, total, x, n_bins=_BINS):
    """Return how fast a sum grows, over bins of time, against x at their ends."""
    known = np.isfinite(seconds) & np.isfinite(total) & np.isfinite(x)
    seconds, total, x = (np.concatenate([[0.0], values[known]]) for values in (seconds, total, x))
    if len(seconds) < 2 or not seconds[-1] > 0:
        return [[], []]
    edges = np.linspace(0, seconds[-1], n_bins + 1)[1:]
    ends = np.unique(np.searchsorted(seconds, edges, side="right") - 1)  # the last of each bin
    ends = ends[ends > 0]
    starts = np.concatenate([[0], ends[:-1]])
    passed = seconds[ends] - seconds[starts]
    good = passed > 0
    speed = (total[ends] - total[starts])[good] / passed[good]
    return [x[ends][good].tolist(), speed.tolist()]
