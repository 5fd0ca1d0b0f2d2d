"""The candidates of a search."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._display import Display, spans_decades


class SearchDisplay(Display):
    """Scores of a search's candidates, against a parameter or by rank.

    Use :meth:`from_search` to make one. It takes scikit-learn's searches as well as
    :class:`~sklearn_cirrus.model_selection.CirrusSearchCV`.

    Parameters
    ----------
    x : array-like of shape (n_candidates,)
        Values of a parameter, or ranks.
    mean : array-like of shape (n_candidates,)
        Mean score over the splits; nan for a candidate that has failed.
    std : array-like of shape (n_candidates,)
        Its standard deviation.
    dropped : array-like of shape (n_candidates,), optional
        Whether a candidate was trained to the end: those that were not are drawn hollow.
    x_name : str or None, default=None
        The parameter; None: ranks.
    score_name : str, default="score"
    name : str, optional
        For the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errorbars_ : list of matplotlib ErrorbarContainer
        Of the candidates that were trained to the end, and of those dropped, if there are any.
    line_ : matplotlib Line2D or None
        Against a parameter that is a number: the best mean score at each of its values.
    best_ : matplotlib Line2D
        The best candidate.

    See Also
    --------
    plot_search : The same in one call.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_cirrus import CirrusLogisticRegression
    >>> from sklearn_cirrus.model_selection import CirrusSearchCV
    >>> from sklearn_cirrus.plots import SearchDisplay
    >>> clf = CirrusLogisticRegression(backend="inline", random_state=0)
    >>> search = CirrusSearchCV(clf, {"C": [0.01, 0.1, 1.0]}, cv=3)
    >>> display = SearchDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
    >>> display.x_name
    'C'
    """

    def __init__(self, *, x, mean, std, dropped=None, x_name=None, score_name="score", name=None):
        self.x = x
        self.mean = mean
        self.std = std
        self.dropped = dropped
        self.x_name = x_name
        self.score_name = score_name
        self.name = name

    @classmethod
    def from_search(cls, search, *, param=None, metric=None, name=None, ax=None, **kwargs):
        """Draw the candidates of a search.

        Parameters
        ----------
        search : fitted search with ``cv_results_``
        param : str, optional
            Parameter to draw the scores against. None: the one that differs between candidates;
            if several do, candidates are drawn by rank.
        metric : str, optional
            With several metrics: which. None: the one that ``refit`` names.
        name : str, optional
            For the legend, when several are drawn into the same axes.
        ax : matplotlib Axes, optional
            None: those of a new figure.
        **kwargs : dict
            Of the candidates, as for :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        SearchDisplay

        Raises
        ------
        ValueError
            If there is no such parameter or metric, or every candidate has failed.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        ImportError
            If there is no matplotlib.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        metric = _metric(search, metric)
        mean = np.asarray(results[f"mean_test_{metric}"], float)
        if not np.isfinite(mean).any():
            raise ValueError("no candidate has a score: every fit has failed")
        params = results["params"]
        if param is None:
            names = sorted({name for one in params for name in one})
            varied = [n for n in names if len({repr(one.get(n)) for one in params}) > 1]
            param = varied[0] if len(varied) == 1 else None
        elif not all(param in one for one in params):
            known = ", ".join(sorted(set.intersection(*map(set, params)))) or "none"
            raise ValueError(f"not every candidate sets {param!r}; those that all set: {known}")
        x = results[f"rank_test_{metric}"] if param is None else [one[param] for one in params]
        score = getattr(search, "scoring", None)
        display = cls(
            x=x,
            mean=mean,
            std=np.asarray(results[f"std_test_{metric}"], float),
            dropped=results.get("dropped"),
            x_name=param,
            score_name=score if metric == "score" and isinstance(score, str) else metric,
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def _draw(self, ax, name, kwargs):
        mean, std = np.asarray(self.mean, float), np.asarray(self.std, float)
        prefix = f"{name}, " if name else ""
        by_rank = self.x_name is None
        x, is_ordered = self._places(ax)
        n = len(mean)
        dropped = np.zeros(n, bool) if self.dropped is None else np.asarray(self.dropped, bool)
        self.errorbars_ = []
        for rows, look in (
            (~dropped, {"label": f"{prefix}candidates"}),
            (dropped, {"label": f"{prefix}dropped early", "markerfacecolor": "none"}),
        ):
            rows = rows & np.isfinite(mean)
            if rows.any():
                given = {"fmt": "o", "color": "C0", "capsize": 2, "elinewidth": 1} | look | kwargs
                self.errorbars_.append(ax.errorbar(x[rows], mean[rows], yerr=std[rows], **given))
        self.line_ = None
        if is_ordered and not by_rank:
            at = np.unique(x[np.isfinite(mean)])
            top = [np.nanmax(mean[x == value]) for value in at]
            (self.line_,) = ax.plot(at, top, color="C0", alpha=0.5, zorder=0)
        best = int(np.nanargmax(np.where(dropped & ~dropped.all(), np.nan, mean)))
        (self.best_,) = ax.plot(
            *(x[best], mean[best], "*"), color="C1", markersize=12, zorder=3, label=f"{prefix}best"
        )
        ax.set(
            xlabel="Rank" if by_rank else self.x_name, ylabel=f"{self.score_name} on held-out rows"
        )

    def _places(self, ax):
        """Return where the candidates are on the axis and whether that is a scale; label it."""
        values = list(self.x)
        if self.x_name is None:
            ax.xaxis.get_major_locator().set_params(integer=True)
            return np.asarray(values, float), True
        if all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values):
            x = np.asarray(values, float)
            if np.isfinite(x).all():
                if spans_decades(x):
                    ax.set_xscale("log")
                return x, True
            values = sorted(values)  # C=np.inf has no place on an axis of numbers
        names = list(dict.fromkeys(map(str, values)))
        ax.set_xticks(range(len(names)), names)
        ax.set_xlim(-0.5, len(names) - 0.5)
        return np.array([names.index(str(value)) for value in self.x], float), False


def _metric(search, metric):
    """Return the metric to draw, checked."""
    known = [
        key.removeprefix("mean_test_") for key in search.cv_results_ if key.startswith("mean_test_")
    ]
    if metric is None:
        refit = getattr(search, "refit", None)
        metric = refit if isinstance(refit, str) and refit in known else known[0]
        if len(known) > 1 and metric != refit:
            raise ValueError(f"the search has several metrics, pass one: {', '.join(known)}")
    if metric not in known:
        raise ValueError(f"metric must be one of {', '.join(known)}, got {metric!r}")
    return metric


def plot_search(search, *, param=None, metric=None, name=None, ax=None, **kwargs):
    """Draw the candidates of a search: :meth:`SearchDisplay.from_search`.

    Parameters
    ----------
    search : fitted search with ``cv_results_``
    param : str, optional
        Parameter to draw the scores against.
    metric : str, optional
        With several metrics: which.
    name : str, optional
        For the legend.
    ax : matplotlib Axes, optional
    **kwargs : dict
        Of the candidates.

    Returns
    -------
    SearchDisplay

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_cirrus.plots import plot_search
    >>> search = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0]})
    >>> display = plot_search(search.fit(*load_iris(return_X_y=True)))
    >>> display.ax_.get_xlabel()
    'C'
    """
    return SearchDisplay.from_search(search, param=param, metric=metric, name=name, ax=ax, **kwargs)
