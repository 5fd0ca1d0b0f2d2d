"""The constructor parameters of matrix factorization: what is allowed, and with which solver."""

import numpy as np

from ._logistic_parameters import SOLVERS
from ._parameters import (
    check_choice,
    check_flag,
    check_integer,
    check_real,
    check_training,
    refuse_meaningless,
)

# What has no meaning for als, and its default. n_iter_no_change would belong here, but
# scikit-learn's own checks set it wherever there is one.
_ONLY_MINIBATCHES = {"learning_rate": "auto", "batch_size": "auto"}


def check_parameters(params):
    """Refuse bad parameters of a CirrusMatrixFactorization, with a ValueError."""
    check_integer("n_components", params.n_components, 1)
    _check_alpha(params.alpha)
    check_flag("biased", params.biased)
    check_choice("solver", params.solver, (*SOLVERS, "als"))
    check_training(params)
    if params.solver == "als":
        reason = "solver='als', which solves all users and all items in turn"
        refuse_meaningless(params, _ONLY_MINIBATCHES, reason)


def _check_alpha(alpha):
    """Refuse a penalty that leaves the factors undetermined."""
    if isinstance(alpha, (int, float)) and not isinstance(alpha, bool) and alpha == 0:
        raise ValueError(
            "alpha must be greater than 0: without a penalty a user of fewer ratings than "
            "n_components has no single best factors"
        )
    check_real("alpha", alpha, 0, np.inf, closed=False)
