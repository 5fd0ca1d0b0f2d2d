"""A curve the size of a word, as SVG: of the colour of the text around it, light or dark."""

import html

import numpy as np

_WIDTH, _HEIGHT, _MARGIN = 160, 28, 2  # pixels


def sparkline(curves, text):
    """Return curves over a common axis as SVG.

    Parameters
    ----------
    curves : list of array-like of shape (n,)
        The first is drawn through, others dashed. What is not finite is left out, and of more
        points than pixels each pixel shows the mean.
    text : str
        What the picture says, for those who do not see it.

    Returns
    -------
    str
    """
    curves = [_thin(np.asarray(curve, float)) for curve in curves]
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in curves] or [[]])
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    drawn = "".join(_draw(curve, low, high, i) for i, curve in enumerate(curves))
    text = html.escape(text)
    return (
        f'<svg role="img" aria-label="{text}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="none" stroke="currentColor" stroke-width="1.5" '
        f'style="vertical-align: middle"><title>{text}</title>{drawn}</svg>'
    )


def _thin(curve):
    """Return no more points than pixels: means of neighbours."""
    if len(curve) <= _WIDTH:
        return curve
    curve = np.where(np.isfinite(curve), curve, np.nan)
    parts = np.array_split(curve, _WIDTH)
    return np.array([np.nan if np.isnan(p).all() else np.nanmean(p) for p in parts])


def _draw(curve, low, high, number):
    """Return a curve as an element of SVG; a single point as a dot."""
    kept = np.flatnonzero(np.isfinite(curve))
    if not kept.size:
        return ""
    share = (curve[kept] - low) / (high - low) if high > low else np.full(kept.size, 0.5)
    x = _MARGIN + kept / max(1, len(curve) - 1) * (_WIDTH - 2 * _MARGIN)
    y = _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)
    if kept.size == 1:
        return f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="1.5" fill="currentColor"/>'
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dashes = ' stroke-dasharray="3 2"' if number else ""
    return f'<polyline points="{points}"{dashes}/>'
