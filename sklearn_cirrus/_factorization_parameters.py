"""The constructor parameters of matrix factorization: what is allowed, and with which solver."""

import numpy as np

from ._logistic_parameters import SOLVERS
from ._parameters import check_choice, check_flag, check_integer, check_real, check_seed

# What has no meaning for als, and its default. n_iter_no_change would belong here, but
# scikit-learn's own checks set it wherever there is one.
_ONLY_MINIBATCHES = {"learning_rate": "auto", "batch_size": "auto"}


def check_parameters(params):
    """Refuse bad parameters of a CirrusMatrixFactorization, with a ValueError."""
    check_integer("n_components", params.n_components, 1)
    _check_alpha(params.alpha)
    check_flag("biased", params.biased)
    check_choice("solver", params.solver, (*SOLVERS, "als"))
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
    if params.solver == "als":
        for name, default in _ONLY_MINIBATCHES.items():
            if getattr(params, name) != default:
                raise ValueError(
                    f"{name} has no meaning for solver='als', which solves all users and all items "
                    f"in turn: leave it at {default!r}, not {getattr(params, name)!r}"
                )


def _check_alpha(alpha):
    """Refuse a penalty that leaves the factors undetermined."""
    if isinstance(alpha, (int, float)) and not isinstance(alpha, bool) and alpha == 0:
        raise ValueError(
            "alpha must be greater than 0: without a penalty a user of fewer ratings than "
            "n_components has no single best factors"
        )
    check_real("alpha", alpha, 0, np.inf, closed=False)
