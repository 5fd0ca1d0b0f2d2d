"""Predictions of a linear model as a step of a dataset."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cirrus_runtime.views import pack_numbers

from .moments import check_columns

_METHODS = ("predict_proba", "decision_function")


def scores_step(data, model, method):
    """Return the step that makes scores of rows; see ``Dataset.predictions``."""
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    check_is_fitted(model, "coef_")
    check_columns(model, data)
    coef = np.atleast_2d(model.coef_)
    names = [str(name) for name in model.classes_]
    if method == "decision_function" and len(coef) == 1:
        names = ["margin"]
    return {
        "step": "scores",
        "method": method,
        "coef": pack_numbers(coef.ravel()),
        "intercept": pack_numbers(model.intercept_),
        "names": names,
        "n_features": len(names),
        "dtype": "float64",
    }
