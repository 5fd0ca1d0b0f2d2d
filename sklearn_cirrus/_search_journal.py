"""What a search tells its journal, and the commands that come to it."""

import time

from ._journal import VERSION, Journal, journal_folder
from ._run_journal import describe, explain, reason_of, search_under_way


class SearchJournal:
    """The journal of one search. A context manager: fits inside are said to be part of the search.

    Parameters
    ----------
    search : CirrusSearchCV
    board : SearchBoard
    setting : str
        The setting ``journal``.
    """

    def __init__(self, search, board, setting):
        self._search = search
        self._board = board
        self._id = f"{time.time_ns() % 10**12:012d}"
        self._journal = Journal(journal_folder(setting), self._id)
        self._began = time.perf_counter()
        self._told = 0  # candidates
        self._standing = {}
        self._epochs = self._rows = self._cost = 0
        self._is_stopped = False

    def __enter__(self):
        self._token = search_under_way.set(self._journal.name if self._journal.is_on else None)
        if self._journal.is_on:
            search = self._search
            params = {
                name: getattr(search, name)
                for name in ("param_grid", "n_iter", "scoring", "cv", "halving", "min_epochs")
            }
            self._journal.write(
                "start",
                version=VERSION,
                kind="search",
                id=self._id,
                time=time.time(),
                estimator=type(search).__name__,
                params=params,
                candidate=describe(search.estimator),
                splits=search.n_splits_,
            )
            self._tell_candidates()
            self._journal.flush()
        return self

    def __exit__(self, kind, error, trace):
        search_under_way.reset(self._token)
        if not self._journal.is_on:
            return
        self._tell_standing()
        self._journal.write(
            "end",
            reason=reason_of(error, "stopped" if self._is_stopped else "done"),
            error=explain(error),
            seconds=time.perf_counter() - self._began,
            cost=self._cost,
        )
        self._journal.close()

    def note(self, entry, cost):
        """Take note of an epoch of a table, and of what the search has cost so far."""
        self._epochs += 1
        self._rows += entry["rows"]
        self._cost = cost
        if not self._journal.is_on:
            return
        names = ("train_loss", "valid_loss", "fits", "updates", "workers")
        self._journal.write(
            "epoch",
            **{name: entry[name] for name in names},
            epoch=self._epochs,
            seconds=time.perf_counter() - self._began,
            rows=self._rows,
            cost=cost,
        )
        self._tell_standing()

    def note_standing(self, cost):
        """Take note of how candidates stand, and of what the search has cost, between epochs."""
        self._cost = cost
        if self._journal.is_on:
            self._tell_standing()

    def end_cost(self, cost):
        """Take note of what the search has cost in the end."""
        self._cost = cost

    def obey(self):
        """Do what was asked for: stop, drop candidates, add some; tell of what cannot be."""
        for command in self._journal.commands():
            try:
                self._obey(command)
            except (ValueError, TypeError, KeyError) as error:
                self._journal.write("refused", what=str(error)[:300])
        self._tell_candidates()

    def _obey(self, command):
        what = command.get("command")
        if what == "stop":
            self._is_stopped = True
            self._journal.write("stopping")
            self._board.stop()
        elif what == "drop":
            self._board.drop([int(candidate) for candidate in command["candidates"]])
        elif what == "add":
            self._search.add_candidates(command["param_grid"])

    def _tell_candidates(self):
        """Write the parameters of candidates that have come."""
        if not self._journal.is_on:
            return
        candidates = self._board.candidates[self._told :]
        if candidates:
            self._journal.write("candidates", first=self._told, params=candidates)
            self._told += len(candidates)

    def _tell_standing(self):
        """Write how candidates stand that stand otherwise than before."""
        self._tell_candidates()
        changed = []
        for row in self._board.leaderboard():
            names = ("candidate", "epochs", "held_out_loss", "train_loss", "status")
            values = [row[name] for name in names]
            if self._standing.get(row["candidate"]) != values:
                self._standing[row["candidate"]] = values
                changed.append(values)
        if changed:
            self._journal.write("standing", candidates=changed)
