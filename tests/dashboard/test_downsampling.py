"""Largest triangle three buckets, against its definition written out."""

import numpy as np
import pytest

from sklearn_cirrus.dashboard._downsampling import largest_triangles


def by_definition(x, y, n_points):
    """The algorithm of the thesis, point by point."""
    n = len(x)
    edges = [int(1 + (n - 2) * i / (n_points - 2)) for i in range(n_points - 1)]
    buckets = [range(*pair) for pair in zip(edges, edges[1:], strict=False)] + [range(n - 1, n)]
    kept = [0]
    for bucket, after in zip(buckets, buckets[1:], strict=False):
        mean = sum(x[i] for i in after) / len(after), sum(y[i] for i in after) / len(after)
        a, areas = kept[-1], {}
        for b in bucket:
            areas[b] = 0.5 * abs(
                x[a] * (y[b] - mean[1]) + x[b] * (mean[1] - y[a]) + mean[0] * (y[a] - y[b])
            )
        kept.append(max(areas, key=areas.get))
    return [*kept, n - 1]


@pytest.mark.parametrize(("n", "n_points"), [(1000, 40), (101, 100), (57, 3), (400, 7)])
def test_it_keeps_the_points_of_the_definition(n, n_points):
    random = np.random.default_rng(n)
    x, y = np.cumsum(random.random(n)), random.normal(size=n)
    assert largest_triangles(x, y, n_points).tolist() == by_definition(x, y, n_points)


def test_few_points_are_all_kept():
    x = np.arange(5.0)
    assert largest_triangles(x, x, 5).tolist() == [0, 1, 2, 3, 4]
    assert largest_triangles(x[:0], x[:0], 5).tolist() == []


def test_a_peak_among_a_million_points_is_kept():
    x = np.arange(1e6)
    y = 1 / (1 + x)
    y[654_321] = 0.5
    kept = largest_triangles(x, y, 400)
    assert len(kept) == 400 and 654_321 in kept
    assert (kept[0], kept[-1]) == (0, 999_999) and np.all(np.diff(kept) > 0)
