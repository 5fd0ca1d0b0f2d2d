"""What a run tells its journal, and what it does when a command comes.

Called by the trainer wherever it tells the progress bar; see ``_open_run.py``.
"""

import time
from contextvars import ContextVar

from ._journal import VERSION, Journal, journal_folder
from ._outcome import CutShort
from ._server_load import ServerLoad
from .exceptions import CirrusError

_STATE_SECONDS = 2.0  # between two lines on the workers while nothing happens to them
_ASK_SECONDS = 2.0  # between two questions to the server
_FIRST_SECONDS = 0.5  # until the first: a fit that is over by then is not asked about
_KEPT_EPOCHS = 4096  # all of the first, then every second, from 8192 on every fourth, ...
_LARGE = 1 << 20  # bytes of data of a fit that lasts long enough to be seen at once

_OF_EPOCH = (
    *("epoch", "seconds", "train_loss", "valid_loss", "objective", "learning_rate", "fits"),
    *("updates", "workers", "gradient"),
)

search_under_way: ContextVar[str | None] = ContextVar("sklearn_cirrus_search", default=None)
"""Name of the journal of the search that fits in this thread are part of."""


def describe(estimator):
    """Return name and parameters of an estimator, for a journal."""
    return {"estimator": type(estimator).__name__, "params": estimator.get_params()}


class RunJournal:
    """The journal of one run.

    Parameters
    ----------
    fit : object
        As of ``open_run``: ``params``, ``config``, ``n_workers``, ``one_pass``.
    run_id : str
    n_rows : int
        Of an epoch.
    nbytes : int
        Of the data, about.
    """

    def __init__(self, fit, run_id, n_rows, nbytes):
        self._fit, self._n_rows, self._nbytes = fit, n_rows, nbytes
        self._max_cost = fit.config.max_cost
        self._run_id = run_id
        self._journal = Journal(journal_folder(fit.config.journal), run_id)
        self._rows = self._n_epochs = self._relaunches = self._restarts = self._n_faults = 0
        self._stopped = False
        self._standing = None
        self._load, self._server = ServerLoad(), {}
        self._began = self._stated = time.perf_counter()
        self._asked = self._began + _FIRST_SECONDS - _ASK_SECONDS

    def begin(self, run):
        """Write the beginning; ``run`` is what is to be watched."""
        self._run = run
        if not self._journal.is_on:
            return
        fit, config = self._fit, self._fit.config
        self._journal.write(
            "start",
            version=VERSION,
            kind="run",
            id=self._run_id,
            time=time.time(),
            **describe(fit.params),
            # Names and numbers alone: urls may hold passwords.
            settings={
                "backend": config.backend,
                "n_workers": fit.n_workers,
                "n_servers": len(config.redis_urls) or config.n_servers,
                "max_cost": config.max_cost,
            },
            rows=self._n_rows,
            max_iter=1 if fit.one_pass else fit.params.max_iter,
            search=search_under_way.get(),
        )
        if self._nbytes >= _LARGE:
            self._journal.flush()

    def __call__(self, rows, entry):
        """Take note of the rows done in the running epoch, or of an epoch's history entry.

        Raises
        ------
        CutShort
            Somebody wants the run stopped; not raised with an entry.
        """
        if not self._journal.is_on:
            return
        if entry is not None:
            self._note(entry)
            return
        now = time.perf_counter()
        standing = self._run.crew.standing()
        seldom = now - self._stated > _STATE_SECONDS
        if standing != self._standing or seldom:
            self._standing, self._stated = standing, now
            self._state(rows, now)
        for command in self._journal.commands():
            if command.get("command") == "stop":
                self._stopped = True
                raise CutShort("The fit was stopped from the dashboard")

    def end(self, error):
        """Write the end of the run, and why it has come; ``error`` is None if it is its own."""
        if not self._journal.is_on:
            return
        cost = self._run.place.cost
        is_spent = self._max_cost is not None and cost >= self._max_cost
        reason = "stopped" if self._stopped else "budget" if is_spent else "done"
        self._journal.write(
            "end",
            reason=reason_of(error, reason),
            error=explain(error),
            seconds=self._seconds(),
            cost=cost,
        )
        self._journal.close()

    def _seconds(self):
        return time.perf_counter() - self._began

    def _note(self, entry):
        """Write an epoch; of very many only some."""
        self._n_epochs += 1
        self._rows += entry.get("rows", 0)
        self._relaunches += entry.get("workers_replaced", 0)
        self._restarts += entry.get("server_restarts", 0)
        if self._n_epochs % (1 << (self._n_epochs // _KEPT_EPOCHS).bit_length()):
            return
        kept = {name: entry[name] for name in _OF_EPOCH if name in entry}
        kept |= {"relaunches": self._relaunches, "restarts": self._restarts}
        self._journal.write("epoch", **kept, rows=self._rows, cost=self._run.place.cost)

    def _state(self, rows, now):
        """Write how the workers stand, what befell them, and what the server holds."""
        crew = self._run.crew
        if now - self._asked > _ASK_SECONDS and self._run.place.redis_urls:
            self._asked = now
            self._server = {
                "memory": _memory(self._run.server),
                **(self._load.ask(self._run.place.clients) or {}),
            }
        faults = list(crew.faults)[self._n_faults :]
        self._n_faults += len(faults)
        self._journal.write(
            "state",
            seconds=now - self._began,
            rows=self._rows + rows,
            cost=self._run.place.cost,
            **self._standing,
            faults=faults,
            **self._server,
        )


def reason_of(error, otherwise):
    """Return why something has ended, for a journal: ``otherwise`` if it was by no exception."""
    if error is None:
        return otherwise
    return "failed" if isinstance(error, Exception) else "interrupted"


def explain(error):
    """Return what a journal says of an exception: of one that is not ours, its type alone."""
    if error is None:
        return None
    name = type(error).__name__
    return f"{name}: {error}"[:500] if isinstance(error, CirrusError) else name


def _memory(server):
    """Return the bytes of a model on its server, or None if that is not known."""
    try:
        return server.info()["memory"] if hasattr(server, "info") else None
    except CirrusError:
        return None  # the trainer will meet the same, and knows what to do
