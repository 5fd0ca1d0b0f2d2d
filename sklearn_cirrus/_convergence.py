"""Whether a fit has come to the optimum, and the warning if not."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._optimality import Objective, reachable_gain
from ._stages import OF_CALLER

_NEARLY = 100  # times tol: what the objective may lie above the optimum by, relatively
_STEPS = 10  # on all rows, to find out, and they find most of it
_EPOCHS = 5  # for each of these steps, which so cost little beside them


def look_for_better(fit, schedule, spec, columns, outcome):
    """Find out whether training ended at the optimum.

    Parameters
    ----------
    fit : LogisticFit
    schedule : Schedule
        Knows whether epochs still brought something before the rate cooled down.
    spec : ModelSpec
    columns : Columns
    outcome : Outcome
        Of the run.

    Returns
    -------
    converged : bool
    gain : float or None
        By how much, relatively, the objective can be lowered at least; None if not looked at:
        nobody asked for the optimum, there were few epochs, or the rows are elsewhere.
    """
    params = fit.params
    steps = min(_STEPS, len(outcome.history) // _EPOCHS)
    if (
        not fit.sees_all_rows
        or outcome.cut
        or fit.one_pass
        or params.early_stopping
        or params.tol is None
        or steps == 0
    ):
        return schedule.converged, None
    objective = Objective(
        *(fit.X, fit.labels, fit.weights, columns.center, bool(params.fit_intercept), fit.width),
        *(spec.l1, spec.l2),
    )
    with np.errstate(over="ignore", invalid="ignore"):  # then the gain is not a number
        gain = reachable_gain(objective, outcome.slots["weights"].astype(np.float64), steps)
    near = gain <= _NEARLY * params.tol
    # With an L1 penalty too little is found to say that nothing is left.
    knows = steps == _STEPS and spec.l1 == 0
    return near and (schedule.converged or knows), gain


def warn_of_nonconvergence(params, outcome, n_classes, stacklevel=OF_CALLER):
    """Warn when the weights are not the optimum, as far as can be told; called by ``fit``."""
    if outcome.cut:
        reason = (
            f"{outcome.cut}, after {outcome.n_iter} whole iterations and "
            f"{outcome.cost:.3g} US dollars: the model is what had been learnt by then."
        )
        warnings.warn(reason, ConvergenceWarning, stacklevel=stacklevel)
        return
    final = outcome.history[-1]["objective"]
    if final > np.log(n_classes):
        reason = (
            "Training did not find a model better than a constant: the objective is "
            f"{final:g}. Choose a smaller learning_rate, or scale the data."
        )
    elif outcome.converged:
        return
    elif outcome.n_iter >= params.max_iter:
        reason = (
            f"Maximum number of iterations reached (max_iter={params.max_iter}) before training "
            "levelled off. Increase max_iter, scale the data or strengthen the penalty."
        )
    elif params.solver == "lbfgs":
        reason = (
            "lbfgs could not lower the objective any further before the gradient had fallen "
            f"to tol={params.tol}. Raise tol, scale the data or strengthen the penalty."
        )
    else:
        reason = (
            "Training levelled off before the optimum: the objective can be lowered by another "
            f"{outcome.gain:.1%} at least. Lower tol, increase n_iter_no_change and max_iter, or "
            "use solver='lbfgs'."
        )
    warnings.warn(reason, ConvergenceWarning, stacklevel=stacklevel)
