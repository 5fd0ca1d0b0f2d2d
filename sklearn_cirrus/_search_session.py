"""One fit of a CirrusSearchCV: groups of candidates one after the other, and their scores."""

import logging

from sklearn.base import clone

from ._bar import tqdm
from ._search_board import Standing

logger = logging.getLogger(__name__)


class SearchSession:
    """Trains the candidates on a board, and those that come, and scores them.

    Parameters
    ----------
    search : CirrusSearchCV
    board : SearchBoard
    data : SearchData
    halving : Halving or None
    score : callable
        ``score(estimator, split, params, fit_params)`` fits an estimator on a split and scores it;
        returns what scikit-learn's ``_fit_and_score`` does.
    fit_params : dict
        Of the estimators' ``fit``.
    X : array-like, sparse matrix or Dataset
        As the user has given it.
    journal : SearchJournal
    """

    def __init__(self, search, board, data, halving, score, fit_params, X, journal):
        self._search = search
        self._board = board
        self._data = data
        self._halving = halving
        self._score = score
        self._fit_params = fit_params
        self._journal = journal
        self._pending = []
        self._X = X
        self._unwanted = set()  # candidates that somebody has dropped
        self._params = {}  # estimator with the parameters of each candidate
        self._fits = {}  # those of each candidate that was put into a table
        self._is_summed = search.scoring in data.summed and not search.return_train_score
        self._shares = data.can_share() and not set(fit_params) - {data.weights_name}
        self._group = self._key = None  # of the table that is trained
        self._room = 0  # columns that it may have
        self.results = {}  # by candidate and split
        self.dropped = set()
        self.history = []
        self.cost = 0.0

    def run(self):
        """Train until there is no candidate left, or somebody stops the search."""
        while not self._is_stopped():
            self._take_new()
            if not self._pending:
                break
            candidate = self._pending[0]
            if not self._may_share(candidate):
                self._fit_alone(self._pending.pop(0))
                continue
            params = clone(self._params[candidate]).set_params(verbose=self._search.verbose)
            self._group = self._data.kind(params, self._data)
            self._key = self._group.key(params)
            room = self._group.room(self._search.table_bytes)
            self._room = max(room, self._group.size(params))  # one at least
            chosen = self._choose(self._room)
            logger.info("search: %d candidates in one table", len(chosen))
            fits = [fit for c in chosen for fit in self._fits_of(c)]
            self.history.append(self._group.run(fits, self, self.cost))
            self.cost += self._group.cost

    # ---- What SearchRun asks and tells

    def sums_losses(self, ended, fits):
        """Return whether workers sum up the held-out losses of fits, of which some have ended."""
        return self._is_summed and self._data.is_summed(ended, fits)

    def finish(self, fit, table):
        """Score a fit that is trained no more; ``table`` has its weights."""
        estimator = clone(self._params[fit.candidate])
        self._group.fill(estimator, fit, table, self._X)
        estimator.n_iter_, estimator.history_, estimator.cost_ = fit.epochs, [], 0.0
        estimator.fit = lambda *data, **more: estimator
        self._take(fit, estimator)

    def take_loss(self, fit, loss, seconds):
        """Take the score of a fit whose mean held-out loss the workers have summed up."""
        self.results[fit.candidate, fit.split] = {
            "fit_error": None,
            "test_scores": self._data.score_of(loss),
            "n_test_samples": fit.tests,
            "fit_time": fit.seconds,
            "score_time": seconds,
        }

    def fail(self, fit, error):
        """Take note of a fit that has diverged."""
        estimator = clone(self._params[fit.candidate])

        def refuse(*data, **more):
            raise error

        estimator.fit = refuse
        self._take(fit, estimator)

    def after_epoch(self, run, entry):
        """Return the candidates to drop and the fits to add, or None to stop."""
        here = {}
        for fit in run.fits.fits:
            here.setdefault(fit.candidate, []).append(fit)
        going = {c: fits for c, fits in here.items() if any(not fit.is_done for fit in fits)}
        for candidate, fits in here.items():
            self._board.note(fits, "training" if candidate in going else "done")
        dropped = set()
        if self._halving is not None:
            standing = {c: self._board.loss_of(c) for c in going}
            ages = {c: max(fit.epochs for fit in self._fits[c]) for c in going}
            dropped.update(self._halving.losers(ages, standing))
            self._drop(dropped)
        entry["valid_loss"] = self._publish(f"epoch {entry['epoch']}: {entry['fits']} fits")
        self._journal.note(entry, self.cost + run.place.cost)
        if self._is_stopped():
            return None
        unwanted = self._dropped_by_wish() & set(going)
        self._drop(unwanted)
        dropped |= unwanted
        return dropped, self._joining(set(going) - dropped)

    def _is_stopped(self):
        """Return whether somebody has stopped the search; do what else is wished from outside."""
        self._journal.obey()
        return self._board.is_stopped

    # ---- Candidates

    def _drop(self, candidates):
        """Take note that candidates are trained no more."""
        self.dropped |= candidates
        for candidate in candidates:
            self._board.note(self._fits[candidate], "dropped")

    def _take_new(self):
        """Take the candidates that have come, and let go those that are unwanted."""
        for candidate, values in self._board.take_new():
            estimator = clone(self._search.estimator)
            self._params[candidate] = estimator.set_params(**clone(values, safe=False))
            self._pending.append(candidate)
        self._pending = [c for c in self._pending if c not in self._dropped_by_wish()]

    def _may_share(self, candidate):
        """Return whether a candidate can be trained in a table with others."""
        return self._shares and self._data.kind.takes(self._params[candidate])

    def _choose(self, room):
        """Take those that wait and can be in the table of this group, as many as there is room."""
        chosen = []
        for candidate in self._pending:
            params = self._params[candidate]
            fits = self._may_share(candidate) and self._group.key(params) == self._key
            if fits and self._group.size(params) <= room:
                room -= self._group.size(params)
                chosen.append(candidate)
        self._pending = [candidate for candidate in self._pending if candidate not in chosen]
        return chosen

    def _fits_of(self, candidate):
        """Return the new fits of a candidate."""
        self._fits[candidate] = self._group.fits(candidate, self._params[candidate])
        return self._fits[candidate]

    def _joining(self, going):
        """Return the fits of candidates that have come and join the table."""
        self._take_new()
        if not self._group.may_join(self._group.params):
            return []
        room = self._room - sum(self._group.size(self._params[c]) for c in going)
        return [fit for c in self._choose(room) for fit in self._fits_of(c)]

    def _dropped_by_wish(self):
        """Return the candidates that somebody has dropped so far."""
        self._unwanted |= self._board.take_dropped()
        return self._unwanted

    def _fit_alone(self, candidate):
        """Fit a candidate that shares nothing, split by split."""
        values = self._board.candidates[candidate]
        fits, status = [], "done"
        for split in range(len(self._data.splits)):
            if self._is_stopped():
                return
            if candidate in self._dropped_by_wish():
                status = "dropped"
                break
            estimator = clone(self._search.estimator)
            result = self._score(estimator, split, values, self._fit_params)
            self.cost += getattr(estimator, "cost_", 0.0)
            self.results[candidate, split] = result
            fits.append(self._standing_of(candidate, split, estimator))
        if fits and None not in fits:
            self._board.note(fits, status)
            self._publish(f"candidate {candidate}: {len(fits)} fits")
            self._journal.note_standing(self.cost)

    def _standing_of(self, candidate, split, estimator):
        """Return how a fit outside a table has ended; None: the leaderboard has none of these."""
        if self.results[candidate, split]["fit_error"] is not None:
            return Standing(candidate)
        loss = self._data.held_out_loss(estimator, split)
        if loss is None:
            return None
        return Standing(candidate, estimator.n_iter_, estimator.history_[-1]["train_loss"], loss)

    def _take(self, fit, estimator):
        """Take the scores of a fit."""
        result = self._score(estimator, fit.split, None, {})
        result["fit_time"] = fit.seconds
        self.results[fit.candidate, fit.split] = result

    def _publish(self, what):
        """Tell how the candidates stand after something; return the smallest held-out loss."""
        search = self._search
        search.leaderboard_ = board = self._board.leaderboard()
        best = board[0]
        line = (
            f"{what}, best candidate {best['candidate']} "
            f"{best['params']}: held-out loss {best['held_out_loss']:.5f}"
        )
        logger.info("search: %s", line)
        if search.verbose > 1:
            tqdm.write(line)
        if search.callback is not None:
            search.callback(search)
        return best["held_out_loss"]
