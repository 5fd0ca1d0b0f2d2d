"""What a call of joblib's Parallel tells its journal, and whether somebody wants it stopped.

Belongs to the dispatcher's thread. Its tasks are joblib's: single calls, whatever batches they are
sent in.
"""

import time
from functools import partial

from sklearn.base import BaseEstimator

from .._journal import VERSION, Journal, journal_folder
from .._run_journal import describe, explain, reason_of
from ..exceptions import TaskError
from .search_scores import SearchScores, count_after

STOPPED = "the call was stopped from the dashboard"

_SHORTEST, _LONGEST = 0.25, 10.0  # seconds between two lines
_SHARE = 1 / 400  # of the time so far, between those: a call of days fits into its journal
_MOST_FAULTS = 100  # told of


class CallJournal:
    """The journal of one run of the backend.

    Parameters
    ----------
    config : Config
    n_jobs : int
    options : Options
    parallel : joblib.Parallel
    run_id : str
    """

    def __init__(self, config, n_jobs, options, parallel, run_id):
        self._config, self._n_jobs, self._options = config, n_jobs, options
        self._parallel, self._run_id = parallel, run_id
        self._journal = Journal(journal_folder(config.journal), run_id)
        self._began = time.perf_counter()
        self._packed = 0  # tasks
        self._after = None  # tasks that come after those, as far as they know it themselves
        self._scores = SearchScores()
        self._next = 0.0
        self._n_faults = 0
        self._faults = []
        self._reason = self._error = None

    @property
    def is_on(self):
        """Whether there is a journal."""
        return self._journal.is_on

    @property
    def is_due(self):
        """Whether it is time for :meth:`tell`."""
        return self._journal.is_on and time.perf_counter() >= self._next

    def note_call(self, number, call):
        """Take note of a batch of calls that is about to be packed; the first begins the journal.

        Raises
        ------
        TaskError
            The call has been stopped.
        """
        if self._reason == "stopped":
            raise TaskError(STOPPED)
        items = getattr(call, "items", None) or [(call, (), {})]
        if not self._journal.is_on:
            return
        if not self._packed:
            self._begin(items)
        self._packed += len(items)
        self._after = count_after(items[-1][2])
        candidates = self._scores.note_calls(number, items)
        if candidates:
            self._journal.write("candidates", params=candidates)

    def note_results(self, number, values):
        """Take note of what a batch of calls has returned."""
        scores = self._scores.note_results(number, values)
        if scores:
            self._journal.write("scores", candidates=scores)

    def _begin(self, items):
        if self._config.dashboard:
            from ..dashboard import start_shared  # late: the extra `dashboard`

            start_shared(journal_folder(self._config.journal))
        function, args, _ = items[0]
        estimator = args[0] if args and isinstance(args[0], BaseEstimator) else None
        options = self._options
        self._journal.write(
            "start",
            version=VERSION,
            kind="call",
            id=self._run_id[:12],
            time=time.time(),
            estimator=_name(function),
            candidate=None if estimator is None else describe(estimator),
            settings={
                "backend": self._config.backend,
                "n_workers": self._n_jobs,
                "retries": options.retries,
                "task_timeout": options.task_timeout,
                "speculate": options.speculate,
                "max_cost": self._config.max_cost,
            },
        )

    def note_fault(self, text):
        """Take note of an attempt that has ended with its worker."""
        if self._n_faults < _MOST_FAULTS:
            self._faults.append(text.splitlines()[0][:200])
        self._n_faults += 1

    def note_failure(self, error):
        """Take note of what a task has raised, or of None; the first reason of an end counts."""
        if error is not None and self._reason is None:
            self._reason, self._error = reason_of(error, None), error

    def note_interrupt(self):
        """Take note that joblib ends the call before it is done."""
        self._reason = self._reason or "interrupted"

    def tell(self, unfinished, running, **used):
        """Write how the tasks and the workers stand.

        Parameters
        ----------
        unfinished : collection of Task
        running : collection of Attempt
        **used : numbers
            What the call has done and used so far: ``done``, ``cost``, ``bytes``, ...
        """
        now = time.perf_counter()
        self._next = now + min(_LONGEST, max(_SHORTEST, _SHARE * (now - self._began)))
        if not self._packed:
            return
        under_way = sum(task.size for task in {attempt.task for attempt in running})
        left = sum(task.size for task in unfinished)
        waiting = sum(attempt.handle.began is None for attempt in running)
        faults, self._faults = self._faults, []
        self._journal.write(
            "state",
            seconds=now - self._began,
            running=under_way,
            queued=left - under_way,
            total=self._total(used["done"] + left),
            working=len(running) - waiting,
            waiting=waiting,
            starting=0,
            faults=faults,
            **used,
        )

    def is_to_stop(self):
        """Return whether somebody has asked for a stop since the last time."""
        wanted = [command.get("command") for command in self._journal.commands()]
        if "stop" not in wanted:
            return False
        self._reason = self._reason or "stopped"
        return True

    def end(self, cost):
        """Write the end."""
        if self._packed:
            self._journal.write(
                "end",
                reason=self._reason or "done",
                error=explain(self._error),
                seconds=time.perf_counter() - self._began,
                cost=cost,
            )
        self._journal.close()

    def _total(self, taken):
        """Return how many tasks there will be, or None while nobody knows."""
        n_tasks = getattr(self._parallel, "n_tasks", None)
        if n_tasks is not None:
            return taken + max(0, n_tasks - self._parallel.n_dispatched_tasks)
        if getattr(self._parallel, "_original_iterator", self) is None:  # it is at its end
            return taken
        return None if self._after is None else self._packed + self._after


def _name(function):
    """Return what a function is called."""
    function = getattr(function, "function", function)  # scikit-learn's wrapper has it
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__name__).lstrip("_")
