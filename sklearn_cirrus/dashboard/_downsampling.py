"""Fewer points that look like all of them."""

import numpy as np


def largest_triangles(x, y, n_points):
    """Choose the points of a curve that show its shape: largest triangle three buckets.

    All points but the first and the last are divided into buckets of equal number. Of each, that
    point is kept which spans the largest triangle with the one kept before and the mean of the
    bucket after (S. Steinarsson 2013, "Downsampling time series for visual representation",
    University of Iceland, section 4.2). So peaks stay, and every point shown was measured.

    Parameters
    ----------
    x, y : float64 arrays of shape (n,)
        Finite.
    n_points : int
        At most as many are kept; 3 or more.

    Returns
    -------
    int array
        Their places, ascending.
    """
    n = len(x)
    if n <= n_points:
        return np.arange(n)
    edges = np.linspace(1, n - 1, n_points - 1).astype(int)  # of n_points - 2 buckets
    kept = np.empty(n_points, int)
    kept[0], kept[-1] = 0, n - 1
    last = 0
    for bucket in range(n_points - 2):
        first, end = edges[bucket], edges[bucket + 1]
        after = slice(end, edges[bucket + 2]) if bucket < n_points - 3 else slice(n - 1, n)
        mean_x, mean_y = x[after].mean(), y[after].mean()
        areas = np.abs(
            (x[last] - mean_x) * (y[first:end] - y[last])
            - (x[last] - x[first:end]) * (mean_y - y[last])
        )
        last = first + int(areas.argmax())
        kept[bucket + 1] = last
    return kept
