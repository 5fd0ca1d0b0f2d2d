"""Searches over Cirrus estimators that train all candidates together."""

import time

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable
from sklearn.utils.validation import _check_method_params

from .._fit_summary import SearchSummary
from .._halving import Halving
from .._search_board import SearchBoard
from .._search_journal import SearchJournal
from .._search_parameters import check_search, checked, first_candidates
from .._search_results import choose, results_of
from .._search_splits import draw_splits, make_score
from .._stages import stage
from ..config import get_config

__all__ = ["CirrusSearchCV"]


class CirrusSearchCV(SearchSummary, BaseSearchCV):
    """Search over parameters of a Cirrus estimator, all candidates trained together.

    It has the interface of :class:`sklearn.model_selection.GridSearchCV` and its results, within
    the noise of stochastic training. But it goes through the data once an epoch for all candidates
    and all splits: a worker reads a minibatch once and steps every fit on it, and the server's
    table is as wide as all fits together. Rows that a split holds out have weight zero in the
    training of its fits, and count in their held-out loss.

    Candidates share a table if they have solver, batch_size, fit_intercept, max_iter and
    random_state in common, and the learning rate is automatic in all or none of them; tables are
    trained one after the other. Candidates with ``solver="lbfgs"`` or ``early_stopping=True`` are
    fitted one by one, on every split; so are all if a split lacks a class. Matrix factorizations
    share a table of items if X is :class:`Ratings`, and have biased in common in the place of
    fit_intercept; those with ``solver="als"`` are fitted one by one.

    Parameters
    ----------
    estimator : CirrusLogisticRegression or CirrusMatrixFactorization
    param_grid : dict or list of dict
        Values of parameters to try, as in ``GridSearchCV``; with ``n_iter``, or if a value is a
        distribution (has ``rvs``), candidates are sampled as by ``RandomizedSearchCV``.
    n_iter : int or None, default=None
        Number of candidates to sample. None: the whole grid, or 10 if there is a distribution.
    scoring : str, callable, list, tuple or dict, default=None
        As in ``GridSearchCV``, on the held-out rows and the final weights of each fit. None:
        ``"neg_log_loss"``; of ratings :func:`rating_rmse_scorer`.
    refit : bool, str or callable, default=True
        As in ``GridSearchCV``.
    cv : int, cross-validation generator or iterable, default=None
        As in ``GridSearchCV``. The folds of :class:`Ratings` are those of :class:`RatingsKFold`,
        not shuffled.
    halving : float or None, default=None
        Drop losers early: at ``min_epochs``, ``min_epochs * halving``,
        ``min_epochs * halving ** 2``, ... epochs the share ``1 / halving`` of the candidates with
        the smallest held-out loss goes on. A candidate that was dropped keeps the scores it had
        then, and ranks behind all that were not. None: all are trained to the end.
    min_epochs : int, default=3
        Epochs before the first halving.
    callback : callable or None, default=None
        Called with the search after every epoch, and after a candidate of ratings that was fitted
        by itself: it may read ``leaderboard_`` and call
        :meth:`stop`, :meth:`add_candidates` and :meth:`drop_candidates`.
    random_state : int, RandomState instance or None, default=None
        Of the sampling of candidates; that of the training is the estimator's.
    error_score : "raise" or number, default=np.nan
        Score of a fit that diverged, or whose parameters are bad. Failures of server, workers or
        store are raised in any case.
    return_train_score : bool, default=False
    verbose : int, default=0
        1: a progress line; 2: also a line for every epoch.
    table_bytes : int, default=2**30
        Most memory of the server for one table, about. More candidates than fit in are trained
        table by table.

    Attributes
    ----------
    cv_results_ : dict of arrays
        With the keys of ``GridSearchCV``; a fit's time is its share of the epochs it took part in.
        With ``halving``, also ``dropped`` (bool).
    best_estimator_ : estimator
        Fitted on all rows, unless ``refit=False``.
    best_params_ : dict
    best_score_ : float
    best_index_ : int
    scorer_ : callable or dict
    n_splits_ : int
    refit_time_ : float
        Seconds.
    multimetric_ : bool
    leaderboard_ : list of dict
        For each candidate that was trained in a table, and each of ratings, the smallest held-out
        loss first:
        ``candidate``, ``params``, ``epochs``, ``held_out_loss`` (mean over the splits; of each row
        at the weights it found in the last epoch), ``train_loss``, ``status`` (``"training"``,
        ``"done"`` or ``"dropped"``). Changes with every epoch while the search runs.
    history_ : list of list of dict
        For each table, for each epoch: ``epoch``, ``fits``, ``valid_loss`` (the smallest held-out
        loss), ``updates``, ``seconds``, and sums over the workers as in
        :class:`~sklearn_cirrus.CirrusLogisticRegression`.
    cost_ : float
        US dollars that search and refit have cost; 0.0 on this machine.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_cirrus import CirrusLogisticRegression
    >>> from sklearn_cirrus.model_selection import CirrusSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CirrusLogisticRegression(backend="inline", random_state=0)
    >>> search = CirrusSearchCV(clf, {"C": [0.0001, 10.0]}, cv=3).fit(X, y)
    >>> search.best_params_
    {'C': 10.0}
    """

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        n_iter=None,
        scoring=None,
        refit=True,
        cv=None,
        halving=None,
        min_epochs=3,
        callback=None,
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
        verbose=0,
        table_bytes=2**30,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        del self.n_jobs, self.pre_dispatch  # workers are the estimator's
        self.param_grid = param_grid
        self.n_iter = n_iter
        self.halving = halving
        self.min_epochs = min_epochs
        self.callback = callback
        self.random_state = random_state
        self.table_bytes = table_bytes

    @stage("tuning")
    def fit(self, X, y=None, **params):
        """Train all candidates, score them, and refit the best.

        Parameters
        ----------
        X : array-like, sparse matrix, Dataset or Ratings of shape (n_samples, n_features)
            Workers read the rows of a :class:`~sklearn_cirrus.Dataset` where they lie. Ratings, or
            a matrix whose samples are the users, for a matrix factorization.
        y : array-like of shape (n_samples,)
            May be left out with a Dataset, whose labels it must be, and with ratings.
        **params : dict of str -> object
            Of the estimator's ``fit`` (``sample_weight``, not with a Dataset; ``rating_weight``)
            and of the splitter (``groups``).

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Bad parameters or data, or every fit has failed.
        CirrusError
            Server, workers or store failed.
        """
        from .._search_input import labels_for, read_data, splitter_of
        from .._search_session import SearchSession  # late: see CirrusLogisticRegression._train

        check_search(self)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, labels_for(self, X, y, params))
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        splitter = splitter_of(self, X, y)
        splits = draw_splits(splitter, X, y, routed.splitter.split)
        self.n_splits_ = len(splits)
        fit_params = dict(routed.estimator.fit)
        data = read_data(self, X, y, splits, fit_params)
        score = make_score(self, X, y, splits, scorers, routed.scorer.score)
        board = SearchBoard()
        board.add(first_candidates(self))
        halving = None if self.halving is None else Halving(float(self.halving), self.min_epochs)
        self.leaderboard_ = []
        self._board = board
        with SearchJournal(self, board, get_config().journal) as journal:
            session = SearchSession(self, board, data, halving, score, fit_params, X, journal)
            try:
                session.run()
            finally:
                self._board = None
                self.leaderboard_ = board.leaderboard()
            results, first = results_of(self, session, board.candidates)
            choose(self, results, first, refit_metric)
            self.cost_ = session.cost
            if self.refit:
                self._refit(X, y, fit_params)
            journal.end_cost(self.cost_)
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_ = results
        self.history_ = session.history
        return self

    # ---- While it runs

    def stop(self):
        """End the search after this epoch, with what it has.

        Candidates keep the scores of the weights that they have reached; those that were not begun
        are left out of the results. Callable from any thread, as are the methods below.

        Raises
        ------
        RuntimeError
            If no search runs.
        """
        self._running().stop()

    def add_candidates(self, param_grid):
        """Add candidates; they begin with the next epoch, in the same table if they can.

        Parameters
        ----------
        param_grid : dict or list of dict
            As in ``GridSearchCV``.

        Returns
        -------
        list of int
            Their numbers, which are their places in ``cv_results_``.
        """
        return self._running().add(checked(self, list(ParameterGrid(param_grid))))

    def drop_candidates(self, candidates):
        """Train candidates no further than this epoch.

        Parameters
        ----------
        candidates : iterable of int
            Their numbers.
        """
        self._running().drop(candidates)

    # ---- Steps of fit

    def _get_scorers(self):
        if self.scoring is None:
            from .._search_input import default_scorer

            return default_scorer(self), "score"
        return super()._get_scorers()

    def _running(self):
        """Return the board of the search that runs."""
        board = getattr(self, "_board", None)
        if board is None:
            raise RuntimeError(
                "no search runs: call this while fit does, from a callback or thread"
            )
        return board

    def _refit(self, X, y, fit_params):
        """Fit the best candidate on all rows."""
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        begin = time.perf_counter()
        self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.perf_counter() - begin
        self.cost_ += self.best_estimator_.cost_
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
