"""The parameters of a search: what is allowed, and which candidates they describe."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from .decomposition import CirrusMatrixFactorization
from .linear_model import CirrusLogisticRegression

_SAMPLED = 10  # candidates, where there is a distribution and nobody says how many


def check_search(search):
    """Refuse bad parameters of a CirrusSearchCV, with a TypeError or a ValueError."""
    if not isinstance(search.estimator, (CirrusLogisticRegression, CirrusMatrixFactorization)):
        raise TypeError(
            "CirrusSearchCV trains CirrusLogisticRegression and CirrusMatrixFactorization, not "
            f"{type(search.estimator).__name__}: use GridSearchCV for other estimators"
        )
    halving = search.halving
    if halving is not None and not (isinstance(halving, Real) and 1 < halving < np.inf):
        raise ValueError(f"halving must be None or larger than 1, not {halving!r}")
    if search.callback is not None and not callable(search.callback):
        raise TypeError(f"callback must be callable or None, not {search.callback!r}")
    for name in ("min_epochs", "table_bytes", "n_iter"):
        value = getattr(search, name)
        is_count = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
        if not (is_count or (name == "n_iter" and value is None)):
            raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")


def first_candidates(search):
    """Return the candidates to begin with, a list of dicts."""
    grids = search.param_grid
    grids = [grids] if isinstance(grids, dict) else list(grids)
    is_sampled = any(hasattr(values, "rvs") for grid in grids for values in grid.values())
    if search.n_iter is None and not is_sampled:
        return checked(search, list(ParameterGrid(grids)))
    n_iter = _SAMPLED if search.n_iter is None else search.n_iter
    sampler = ParameterSampler(grids, n_iter, random_state=search.random_state)
    return checked(search, list(sampler))


def checked(search, candidates):
    """Return candidates; refuse parameters that the estimator does not have."""
    estimator = clone(search.estimator)
    for candidate in candidates:
        estimator.set_params(**clone(candidate, safe=False))
    return candidates
