"""What the Display classes share: where they draw, and that they can do so again."""


class Display:
    """A picture. A subclass has ``name`` and draws in ``_draw(ax, name, kwargs)``."""

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            None: those of a new figure.
        name : str, optional
            For the legend; None: that of the display.
        **kwargs : dict
            Of the lines or points, as for the method of ``ax`` that draws them:
            :meth:`matplotlib.axes.Axes.plot` or :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        Display
            This one.

        Raises
        ------
        ImportError
            If there is no matplotlib.
        """
        self.ax_ = ax = _axes_for(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        self._draw(ax, self.name if name is None else name, kwargs)
        ax.legend()
        return self


def _axes_for(ax, who):
    """Return the axes to draw into: those given, or those of a new figure.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{who} needs matplotlib: install it with pip install 'sklearn-cirrus[plots]'"
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def spans_decades(values):
    """Return whether values want a logarithmic axis: all positive, and a hundredfold apart."""
    return min(values) > 0 and max(values) >= 100 * min(values)
