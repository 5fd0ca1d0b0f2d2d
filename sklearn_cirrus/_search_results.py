"""What a search reports of its candidates, as scikit-learn's searches do: scores, and the best."""

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)


def results_of(search, session, candidates):
    """Return cv_results_, and the test scores of the first fit.

    Parameters
    ----------
    search : CirrusSearchCV
    session : SearchSession
        That has ended.
    candidates : list of dict
        Parameters by number. One that was not trained on every split is left out.

    Raises
    ------
    ValueError
        If no candidate was, or every fit has failed.
    """
    n_splits = search.n_splits_
    whole = [
        number
        for number in range(len(candidates))
        if all((number, split) in session.results for split in range(n_splits))
    ]
    out = [session.results[number, split] for number in whole for split in range(n_splits)]
    if not out:
        raise ValueError("No fits were performed: there were no candidates, or stop() came first")
    _warn_or_raise_about_fit_failures(out, search.error_score)
    if callable(search.scoring):
        _insert_error_scores(out, search.error_score)
    more = {}
    if search.halving is not None:
        more["dropped"] = [number in session.dropped for number in whole]
    results = search._format_results([candidates[n] for n in whole], n_splits, out, more)
    if "dropped" in results:
        for name in [name for name in results if name.startswith("rank_")]:
            means = results["mean" + name.removeprefix("rank")]
            results[name] = rank(means, results["dropped"])
    return results, out[0]["test_scores"]


def choose(search, results, first_scores, refit_metric):
    """Set the attributes of a search's best candidate.

    Parameters
    ----------
    search : CirrusSearchCV
    results : dict of arrays
    first_scores : float or dict of float
        Test scores of the first fit.
    refit_metric : str
        Whose means decide.
    """
    search.multimetric_ = isinstance(first_scores, dict)
    if callable(search.scoring) and search.multimetric_:
        search._check_refit_for_multimetric(first_scores)
        refit_metric = search.refit
    if not search.refit and search.multimetric_:
        return
    search.best_index_ = search._select_best_index(search.refit, refit_metric, results)
    if not callable(search.refit):
        search.best_score_ = results[f"mean_test_{refit_metric}"][search.best_index_]
    search.best_params_ = results["params"][search.best_index_]


def rank(means, dropped):
    """Return the ranks of mean scores, int32: those that were dropped are behind all others."""
    means = np.where(np.isnan(means), -np.inf, means)
    pairs = np.column_stack([dropped, -means])
    place = np.unique(pairs, axis=0, return_inverse=True)[1]
    return rankdata(place.ravel(), method="min").astype(np.int32)
