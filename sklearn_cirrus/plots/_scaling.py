"""Speed against the number of workers."""

from collections.abc import Mapping

import numpy as np

from ._display import Display
from ._fitted import history_of


class ScalingDisplay(Display):
    """Rows a second against workers, beside what they would be if workers lost nothing.

    Use :meth:`from_results` or :meth:`from_estimators` to make one.

    Parameters
    ----------
    workers : array-like of shape (n_points,)
        Ascending.
    rows_per_second : list of array-like
        For each number of workers, what was measured, once or more often.
    name : str, optional
        For the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The medians.
    errorbar_ : matplotlib ErrorbarContainer
        Smallest and largest measurement around each median.
    proportional_ : matplotlib Line2D
        The median of the fewest workers, times as many.

    See Also
    --------
    plot_scaling : The same in one call.

    Examples
    --------
    >>> from sklearn_cirrus.plots import ScalingDisplay
    >>> display = ScalingDisplay.from_results({1: [90e3, 100e3, 95e3], 2: [180e3, 170e3]})
    >>> display.line_.get_ydata().tolist()
    [95000.0, 175000.0]
    """

    def __init__(self, *, workers, rows_per_second, name=None):
        self.workers = workers
        self.rows_per_second = rows_per_second
        self.name = name

    @classmethod
    def from_results(cls, results, *, name=None, ax=None, **kwargs):
        """Draw what was measured.

        Parameters
        ----------
        results : mapping of int to float or array-like of float
            For each number of workers, rows a second, measured once or more often.
        name : str, optional
            For the legend, when several are drawn into the same axes.
        ax : matplotlib Axes, optional
            None: those of a new figure.
        **kwargs : dict
            Of the line, as for :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        ScalingDisplay

        Raises
        ------
        ValueError
            If there is nothing measured, or numbers are not positive and finite.
        ImportError
            If there is no matplotlib.
        """
        results = {n: np.atleast_1d(np.asarray(results[n], float)) for n in sorted(results)}
        if not results or not all(values.size for values in results.values()):
            raise ValueError("results must have at least one measurement for each worker count")
        numbers = np.concatenate([list(results), *results.values()])
        if not (np.isfinite(numbers).all() and (numbers > 0).all()):
            raise ValueError("numbers of workers and rows a second must be positive and finite")
        display = cls(workers=list(results), rows_per_second=list(results.values()), name=name)
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_estimators(cls, estimators, *, name=None, ax=None, **kwargs):
        """Draw the speed of fits, by the number of workers that each has had.

        Parameters
        ----------
        estimators : iterable of estimators with ``history_``
            Fitted on the same data. Several with as many workers are repeats.
        name : str, optional
            For the legend.
        ax : matplotlib Axes, optional
            None: those of a new figure.
        **kwargs : dict
            Of the line, as for :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        ScalingDisplay

        Raises
        ------
        ValueError
            If an estimator has no history, or there is none.
        ImportError
            If there is no matplotlib.
        """
        results = {}
        for estimator in estimators:
            history = history_of(estimator)
            workers = max(entry["workers"] for entry in history)
            rows = sum(entry["rows"] for entry in history)
            results.setdefault(workers, []).append(rows / history[-1]["seconds"])
        return cls.from_results(results, name=name, ax=ax, **kwargs)

    def _draw(self, ax, name, kwargs):
        workers = np.asarray(self.workers, float)
        middle = np.array([np.median(values) for values in self.rows_per_second])
        spread = np.array(
            [
                (m - np.min(values), np.max(values) - m)
                for m, values in zip(middle, self.rows_per_second, strict=True)
            ]
        )
        given = {"label": name or "measured", "marker": "o", "capsize": 3} | kwargs
        self.errorbar_ = ax.errorbar(workers, middle, yerr=spread.T, **given)
        self.line_ = self.errorbar_.lines[0]
        (self.proportional_,) = ax.plot(
            *(workers, middle[0] * workers / workers[0]),
            color=self.line_.get_color(),
            linestyle=":",
            alpha=0.7,
            label=f"{name}, in proportion" if name else "in proportion",
        )
        ax.set(xlabel="Workers", ylabel="Rows per second")
        if workers[-1] >= 16 * workers[0]:
            ax.set_xscale("log", base=2)
            ax.set_yscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
        elif ax.get_xscale() == "linear":
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.set_ylim(bottom=0)


def plot_scaling(runs, *, name=None, ax=None, **kwargs):
    """Draw speed against workers: of fits, or of numbers measured elsewhere.

    Parameters
    ----------
    runs : iterable of fitted estimators, or mapping of int to float or array-like of float
        As of :meth:`ScalingDisplay.from_estimators` and :meth:`ScalingDisplay.from_results`.
    name : str, optional
        For the legend.
    ax : matplotlib Axes, optional
    **kwargs : dict
        Of the line.

    Returns
    -------
    ScalingDisplay

    Examples
    --------
    >>> from sklearn_cirrus.plots import plot_scaling
    >>> display = plot_scaling({1: 95e3, 2: [170e3, 180e3]}, name="two cores")
    >>> display.line_.get_ydata().tolist()
    [95000.0, 175000.0]
    """
    is_measured = isinstance(runs, Mapping)
    make = ScalingDisplay.from_results if is_measured else ScalingDisplay.from_estimators
    return make(runs, name=name, ax=ax, **kwargs)
