"""The constructor parameters of logistic regression: what is allowed, and with which solver."""

import numpy as np

from ._parameters import check_choice, check_flag, check_integer, check_real, check_seed

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
    check_real("learning_rate", params.learning_rate, 0, 1e9, also=("auto",), closed=False)
    check_integer("batch_size", params.batch_size, 1, also=("auto",))
    check_integer("max_iter", params.max_iter, 1)
    check_real("tol", params.tol, 0, 1, also=(None,))
    check_flag("early_stopping", params.early_stopping)
    check_real("validation_fraction", params.validation_fraction, 0, 1, closed=False)
    check_integer("n_iter_no_change", params.n_iter_no_change, 1)
    check_flag("warm_start", params.warm_start)
    check_integer("n_workers", params.n_workers, 1, also=(None, "auto"))
    check_seed("random_state", params.random_state)
    check_integer("verbose", params.verbose, 0, also=(True, False))
    if params.solver == "lbfgs":
        _check_parameters_of_lbfgs(params)


def _check_parameters_of_lbfgs(params):
    """Refuse what has no meaning for a full batch."""
    if params.l1_ratio != 0:
        raise ValueError(
            "Solver lbfgs supports only 'l2' or None penalties, got "
            f"l1_ratio={params.l1_ratio}: use l1_ratio=0, or solver='ftrl'"
        )
    for name, default in _ONLY_MINIBATCHES.items():
        if getattr(params, name) != default:
            raise ValueError(
                f"{name} has no meaning for solver='lbfgs', which uses all rows at once: "
                f"leave it at {default!r}, not {getattr(params, name)!r}"
            )


def learns_by_minibatches(params):
    """Say why a solver has no partial_fit."""
    if params.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is not available with solver='lbfgs', which uses all rows at once: "
            f"choose one of {', '.join(SOLVERS)}"
        )
    return True
