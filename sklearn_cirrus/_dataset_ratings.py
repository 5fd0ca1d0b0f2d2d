"""What a fitted matrix factorization does with a Dataset: workers solve users, predict pairs."""

import numpy as np

from cirrus_runtime.store import open_store
from cirrus_runtime.tensors import encode_tensors
from cirrus_runtime.views import pack_numbers, unpack_numbers

from ._dataset.pivot import refuse_bad, rows_of_ratings
from ._dataset.place import own_url
from ._dataset.selection import in_order
from ._map_run import run_map
from ._parameters import plain_count
from ._stages import stage
from .config import get_config

_MODEL = "model.safetensors"


@stage("preprocessing")
def solve_users(model, data):
    """Return the factors of the users of a Dataset, and the mean squared error of its ratings.

    Parameters
    ----------
    model : CirrusMatrixFactorization
        Fitted.
    data : Dataset
        Of sparse rows, or a table of users, items and ratings.

    Returns
    -------
    users : array of shape (n_users, n_components + biased)
    error : float or None
        None: there is no rating.
    """
    config = get_config(backend=model.backend, n_workers=plain_count(model.n_workers))
    with rows_of_ratings(data, config, model.n_features_in_) as (rows, _):
        if rows.shape[1] != model.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but {type(model).__name__} is expecting "
                f"{model.n_features_in_} features as input."
            )
        users, squares, n, _ = fold_in_dataset(model, config, rows)
    return users, squares / n if n else None


def fold_in_dataset(model, config, rows):
    """Solve the users of a Dataset of rows.

    Returns
    -------
    users : array of shape (n_users, n_components + biased), of the dataset's dtype
    squares : float
        Sum of the squared errors of their ratings.
    n_ratings : int
    cost : float
    """
    options = {
        "view": rows.view(),
        "model": {
            "components": pack_numbers(model.components_.ravel()),
            "item_bias": pack_numbers(model.item_bias_),
            "mean": float(model.mean_),
            "alpha": model._alpha,
            "biased": model._biased,
        },
    }
    results, cost = run_map(config, "fold_in", options, dict(enumerate(rows.blocks())))
    found = [results[number] for number in sorted(results)]
    width = len(model.components_) + model._biased
    users = [unpack_numbers(part[0]).reshape(-1, width) for part in found]
    users = np.concatenate([np.empty((0, width)), *users]).astype(rows.dtype)
    return in_order(rows, users), sum(p[1] for p in found), sum(p[2] for p in found), cost


@stage("preprocessing")
def rate_pairs(model, data):
    """Return the predicted ratings of the pairs in a Dataset, of shape (n_rows,).

    Parameters
    ----------
    model : CirrusMatrixFactorization
        Fitted.
    data : Dataset
        A table with users in the first column and items in the second. Those that the model does
        not know are predicted as one without ratings.
    """
    if not data.is_table or data.shape[1] < 2:
        raise ValueError(
            "pairs are a table, with users in its first column and items in its second"
        )
    config = get_config(backend=model.backend, n_workers=plain_count(model.n_workers))
    dtype, n_items = model.components_.dtype, model.n_features_in_
    items = np.ones((n_items, len(model.components_) + model._biased))
    items[:, : len(model.components_)] = model.components_.T
    arrays = {
        "users": model.user_factors_.astype(np.float64).ravel(),
        "items": items.ravel(),
        "offsets": model.item_bias_.astype(np.float64),
    }
    url = own_url(config)
    options = {
        "view": data.view(), "url": url, "name": _MODEL, "width": items.shape[1],
        "mean": float(model.mean_), "biased": model._biased,
    }  # fmt: skip
    with open_store(url) as store:
        try:
            store.put(_MODEL, encode_tensors({}, arrays))
            results, _ = run_map(config, "rate", options, dict(enumerate(data.blocks())))
        finally:
            store.delete([_MODEL])
    refuse_bad(results)
    parts = [unpack_numbers(results[number]) for number in sorted(results)]
    return in_order(data, np.concatenate([np.empty(0), *parts])).astype(dtype)
