"""The course of a fit."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._display import Display
from ._fitted import history_of

_AXES = {"epoch": "Epoch", "seconds": "Time (s)", "rows": "Rows trained on"}


class HistoryDisplay(Display):
    """Loss against epochs, time or rows.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    x : array-like of shape (n_epochs,)
    train_loss : array-like of shape (n_epochs,)
        Mean over each epoch, while it learnt.
    valid_loss : array-like of shape (n_epochs,), optional
        Held-out loss at the end of each epoch.
    x_name : {"epoch", "seconds", "rows"}, default="epoch"
        What ``x`` is.
    name : str, optional
        For the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of the training loss, and of the held-out loss if there is one.
    best_ : matplotlib Line2D or None
        The point of the lowest held-out loss.

    See Also
    --------
    plot_history : The same in one call.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_cirrus import CirrusLogisticRegression
    >>> from sklearn_cirrus.plots import HistoryDisplay
    >>> clf = CirrusLogisticRegression(backend="inline", random_state=0)
    >>> clf = clf.fit(*load_iris(return_X_y=True))
    >>> display = HistoryDisplay.from_estimator(clf)
    >>> len(display.lines_[0].get_xdata()) == clf.n_iter_
    True
    """

    def __init__(self, *, x, train_loss, valid_loss=None, x_name="epoch", name=None):
        self.x = x
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.x_name = x_name
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, x="epoch", name=None, ax=None, **kwargs):
        """Draw the course of a fit.

        Parameters
        ----------
        estimator : estimator with ``history_``, or a Pipeline that ends in one
            Fitted.
        x : {"epoch", "seconds", "rows"}, default="epoch"
            Seconds are since the start of the fit; rows are summed over the epochs so far.
        name : str, optional
            For the legend, when several are drawn into the same axes.
        ax : matplotlib Axes, optional
            None: those of a new figure.
        **kwargs : dict
            Of the lines, as for :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ValueError
            If ``x`` is something else, or the estimator has no history.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If there is no matplotlib.
        """
        if x not in _AXES:
            raise ValueError(f"x must be one of {', '.join(map(repr, _AXES))}, got {x!r}")
        check_is_fitted(estimator)
        last = estimator[-1] if hasattr(estimator, "named_steps") else estimator
        history = history_of(last)
        columns = {key: np.array([entry[key] for entry in history]) for key in history[0]}
        if x == "rows":
            columns["rows"] = columns["rows"].cumsum()
        display = cls(
            x=columns[x],
            train_loss=columns["train_loss"],
            valid_loss=columns.get("valid_loss"),
            x_name=x,
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def _draw(self, ax, name, kwargs):
        prefix = f"{name}, " if name else ""
        marker = "o" if len(self.x) == 1 else None  # a line of one point is not seen
        first = {"label": f"{prefix}training", "marker": marker} | kwargs
        self.lines_ = ax.plot(self.x, self.train_loss, **first)
        self.best_ = None
        if self.valid_loss is not None:
            same = {"color": self.lines_[0].get_color(), "linestyle": "--", "marker": marker}
            held_out = same | kwargs | {"label": f"{prefix}held-out"}
            self.lines_ += ax.plot(self.x, self.valid_loss, **held_out)
            best = int(np.nanargmin(self.valid_loss))
            (self.best_,) = ax.plot(
                *(self.x[best], self.valid_loss[best], "o"), color=self.lines_[1].get_color()
            )
        ax.set(xlabel=_AXES[self.x_name], ylabel="Loss")


def plot_history(estimator, *, x="epoch", name=None, ax=None, **kwargs):
    """Draw the course of a fit: :meth:`HistoryDisplay.from_estimator`.

    Parameters
    ----------
    estimator : estimator with ``history_``, or a Pipeline that ends in one
        Fitted.
    x : {"epoch", "seconds", "rows"}, default="epoch"
    name : str, optional
        For the legend.
    ax : matplotlib Axes, optional
    **kwargs : dict
        Of the lines.

    Returns
    -------
    HistoryDisplay

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_cirrus import CirrusLogisticRegression
    >>> from sklearn_cirrus.plots import plot_history
    >>> clf = CirrusLogisticRegression(backend="inline", random_state=0)
    >>> display = plot_history(clf.fit(*load_iris(return_X_y=True)), x="seconds")
    >>> display.ax_.get_xlabel()
    'Time (s)'
    """
    return HistoryDisplay.from_estimator(estimator, x=x, name=name, ax=ax, **kwargs)
