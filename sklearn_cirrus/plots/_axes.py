"""Where a Display draws."""


def axes_for(ax, who):
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
