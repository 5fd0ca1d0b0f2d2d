"""The constructor parameters of logistic regression: what is allowed, and with which solver."""

import numpy as np

from ._parameters import (
    check_choice,
    check_flag,
    check_real,
    check_training,
    refuse_meaningless,
)

SOLVERS = ("sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl")  # by minibatches
# What has no meaning for lbfgs, and its default. n_iter_no_change would belong here, but
# scikit-learn's own checks set it wherever there is one.
_ONLY_MINIBATCHES = {"learning_rate": "auto", "batch_size": "auto", "early_stopping": False}


def check_parameters(params):
    """Refuse bad parameters of a CirrusLogisticRegression, with a ValueError."""
    check_real("C", params.C, 0, np.inf, also=(np.inf,), closed=False)
    check_real("l1_ratio", params.l1_ratio, 0, 1)
    check_flag("fit_intercept", params.fit_intercept)
    check_choice("solver", params.solver, (*SOLVERS, "lbfgs"))
    check_training(params)
    if params.solver == "lbfgs":
        _check_parameters_of_lbfgs(params)


def _check_parameters_of_lbfgs(params):
    """Refuse what has no meaning for a full batch."""
    if params.l1_ratio != 0:
        raise ValueError(
            "Solver lbfgs supports only 'l2' or None penalties, got "
            f"l1_ratio={params.l1_ratio}: use l1_ratio=0, or solver='ftrl'"
        )
    refuse_meaningless(params, _ONLY_MINIBATCHES, "solver='lbfgs', which uses all rows at once")


def learns_by_minibatches(params):
    """Say why a solver has no partial_fit."""
    if params.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is not available with solver='lbfgs', which uses all rows at once: "
            f"choose one of {', '.join(SOLVERS)}"
        )
    return True
