"""Moments of the columns of a dataset, merged from those of its blocks."""

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from cirrus_runtime.views import as_numbers, pack_numbers, read_view, unpack_numbers

from .._stages import stage
from ..config import get_config


@dataclass(frozen=True, eq=False)
class ColumnMoments:
    """Float64 arrays of shape (n_columns,) each.

    Attributes
    ----------
    count, mean : values that are not missing, and their mean
    squares : sum of the squares about the mean
    least, largest
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    least: np.ndarray
    largest: np.ndarray

    def of(self, count, mean, squares):
        """Return moments of another part of the data, whose bounds are not known."""
        return replace(self, count=count, mean=mean, squares=squares)

    def with_count(self, count):
        """Return the same with another count."""
        return replace(self, count=count)


@stage("preprocessing")
def moments_of(data):
    """Return the ColumnMoments of a Dataset, by workers."""
    from .._map_run import run_map  # late: predicting needs no Redis client

    if not len(data):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    names, view = data.blocks(), data.view()
    origin = np.zeros(data.shape[1])
    if data.is_table:  # any row will do
        first = next(iter(names))
        origin = np.nan_to_num(as_numbers(read_view(view, first), first)[0].astype(np.float64))
    options = {"view": view, "origin": pack_numbers(origin)}
    results, _ = run_map(get_config(), "moments", options, dict(enumerate(names)))
    parts = [ColumnMoments(*map(unpack_numbers, results[i])) for i in sorted(results)]
    found = reduce(merge, parts)
    return replace(found, mean=found.mean + origin)


def merge(a, b):
    """Return the moments of two parts of the data together (Chan, Golub and LeVeque 1983)."""
    count = a.count + b.count
    share = b.count / np.maximum(count, 1)
    apart = b.mean - a.mean
    return ColumnMoments(
        count,
        np.where(a.count == 0, b.mean, a.mean + apart * share),
        a.squares + b.squares + apart**2 * a.count * share,
        np.minimum(a.least, b.least),
        np.maximum(a.largest, b.largest),
    )


def take_columns(estimator, data):
    """Set ``n_features_in_`` and, if the columns have names, ``feature_names_in_``."""
    estimator.n_features_in_ = data.shape[1]
    if data.columns is not None:
        estimator.feature_names_in_ = np.array(data.columns, dtype=object)


def check_columns(estimator, data):
    """Refuse a dataset that does not have the columns that an estimator was fitted on."""
    d, name = data.shape[1], type(estimator).__name__
    if d != estimator.n_features_in_:
        raise ValueError(
            f"X has {d} features, but {name} is expecting {estimator.n_features_in_} features as "
            "input."
        )
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and data.columns is not None and list(known) != data.columns:
        raise ValueError(
            f"The feature names should match those that were passed during fit of {name}."
        )
