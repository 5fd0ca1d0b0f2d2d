"""The stages of a workflow: each may have settings of its own, and what each used is told.

What runs inside another stage belongs to that one: the fits and predictions of a search are tuning.
"""

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace

STAGES = ("preprocessing", "training", "tuning")

# The stacklevel of a warning by a function that a method calls which is decorated with `stage`:
# the function, the method, the decorator, the method's caller.
OF_CALLER = 4

_current: ContextVar[str | None] = ContextVar("sklearn_cirrus_stage", default=None)
_lock = threading.Lock()


@contextmanager
def stage(name):
    """Say that what runs inside belongs to a stage, unless it does already; also a decorator."""
    outer = _current.get()
    token = _current.set(outer or name)
    try:
        yield
    finally:
        _current.reset(token)


def current_stage():
    """Return the stage that runs here, or None."""
    return _current.get()


@dataclass(frozen=True)
class StageUsage:
    """What the runs of a stage have used, in this process.

    Attributes
    ----------
    runs : int
        Fits, passes over a dataset, calls of joblib.
    n_workers : int
        Most workers of any run.
    rows : int
        Rows that workers went through, each as often as they did.
    tasks : int
        Of joblib's calls: functions that were run to their end.
    seconds : float
        From the beginning of each run to its end, summed up.
    worker_seconds : float
        The same times the workers of each run; of joblib's calls, what their tasks took.
    cost : float
        US dollars, by AWS's list prices; 0.0 on this machine, nan if a price is not known.

    Examples
    --------
    >>> from sklearn_cirrus.config import StageUsage
    >>> StageUsage(runs=1, rows=3_000_000, cost=0.5).rows_per_dollar
    6000000.0
    """

    runs: int = 0
    n_workers: int = 0
    rows: int = 0
    tasks: int = 0
    seconds: float = 0.0
    worker_seconds: float = 0.0
    cost: float = 0.0

    @property
    def rows_per_dollar(self):
        """Rows for each US dollar; infinite where nothing is paid for."""
        return self.rows / self.cost if self.cost else float("inf")


class StageReport(dict):
    """A :class:`StageUsage` for each stage that ran, by its name; prints as a table.

    Examples
    --------
    >>> from sklearn_cirrus.config import StageReport, StageUsage
    >>> report = StageReport(training=StageUsage(runs=1, n_workers=2, rows=1_800_000, seconds=2.1))
    >>> print(report)
    stage           runs  workers            rows   seconds  US dollars
    training           1        2       1,800,000       2.1    0.000000
    """

    def __repr__(self):
        lines = [
            f"{'stage':14}{'runs':>6}{'workers':>9}{'rows':>16}{'seconds':>10}{'US dollars':>12}"
        ]
        for name, used in self.items():
            lines.append(
                f"{name:14}{used.runs:6}{used.n_workers:9}{used.rows:16,}{used.seconds:10.1f}"
                f"{used.cost:12.6f}"
            )
        return "\n".join(lines)


_used = {}


def note_usage_of_stage(name, **used):
    """Add a run to what a stage has used; None: to training, which is what a run is by itself."""
    name = name or "training"
    with _lock:
        before = _used.get(name, StageUsage())
        sums = {
            field: value + used.get(field, 0)
            for field, value in asdict(before).items()
            if field != "n_workers"
        }
        sums["runs"] = before.runs + 1
        _used[name] = replace(before, **sums, n_workers=max(before.n_workers, used["n_workers"]))


def stage_report(reset=False):
    """Return what the stages of a workflow have used and cost so far, in this process.

    Preprocessing is loading, scaling, hashing that is written out, and predictions of a dataset;
    training is fits; tuning is :class:`~sklearn_cirrus.model_selection.CirrusSearchCV` and
    joblib's backend "cirrus", with all that runs inside. See ``preprocessing=``, ``training=`` and
    ``tuning=`` of :func:`~sklearn_cirrus.config_context`.

    Parameters
    ----------
    reset : bool, default=False
        Whether to begin anew afterwards.

    Returns
    -------
    StageReport
        A dict of :class:`StageUsage` by stage, in the order of a workflow; those that have not run
        are left out. It prints as a table.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import CirrusLogisticRegression, config_context
    >>> from sklearn_cirrus.config import stage_report
    >>> _ = stage_report(reset=True)
    >>> with config_context(backend="inline"):
    ...     _ = CirrusLogisticRegression(max_iter=2, tol=None).fit(np.eye(4), [0, 1, 0, 1])
    >>> report = stage_report()
    >>> list(report), report["training"].rows
    (['training'], 8)
    """
    with _lock:
        report = StageReport({name: _used[name] for name in STAGES if name in _used})
        if reset:
            _used.clear()
    return report
