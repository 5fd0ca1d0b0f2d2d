"""The warnings of a fit that did not come to the optimum."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning


def warn_of_nonconvergence(params, outcome, n_classes):
    """Warn when the weights are not the optimum, as far as can be told; called by ``fit``."""
    final = outcome.history[-1]["objective"]
    if final > np.log(n_classes):
        reason = (
            "Training did not find a model better than a constant: the objective is "
            f"{final:g}. Choose a smaller learning_rate, or scale the data."
        )
    elif outcome.converged:
        return
    elif outcome.n_iter < params.max_iter:
        reason = (
            "lbfgs could not lower the objective any further before the gradient had fallen "
            f"to tol={params.tol}. Raise tol, scale the data or strengthen the penalty."
        )
    else:
        reason = (
            f"Maximum number of iterations reached (max_iter={params.max_iter}) before training "
            "levelled off. Increase max_iter, scale the data or strengthen the penalty."
        )
    warnings.warn(reason, ConvergenceWarning, stacklevel=3)
