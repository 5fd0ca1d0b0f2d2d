"""Margins of a linear model on a dataset, by workers."""

import numpy as np

from cirrus_runtime.views import pack_numbers, unpack_numbers

from .._map_run import run_map
from .._parameters import plain_count
from .._stages import stage
from ..config import get_config
from .moments import check_columns
from .selection import in_order


@stage("preprocessing")
def margins_of(data, model):
    """Return the margins of all rows of a Dataset, float64 of shape (n_rows, width).

    Parameters
    ----------
    data : Dataset
    model : estimator
        With ``coef_`` and ``intercept_``.
    """
    check_columns(model, data)
    config = get_config(backend=model.backend, n_workers=plain_count(model.n_workers))
    ready = data.with_step({"step": "rows", "dtype": "float64"})
    coef = np.atleast_2d(model.coef_)
    names = ready.blocks()
    options = {
        "view": ready.view(),
        "coef": pack_numbers(coef.ravel()),
        "intercept": model.intercept_.tolist(),
    }
    results, _ = run_map(config, "margins", options, dict(enumerate(names)))
    parts = [unpack_numbers(results[i]).reshape(-1, len(coef)) for i in sorted(results)]
    return in_order(data, np.concatenate([np.empty((0, len(coef))), *parts]))
