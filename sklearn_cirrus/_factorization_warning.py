"""The warning of a matrix factorization that has come to nothing, or was cut short."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from ._stages import OF_CALLER


def warn_of_failure(model, outcome, mean, square, stacklevel=OF_CALLER):
    """Warn of a model that was cut short, or is no better than a constant.

    Parameters
    ----------
    model : CirrusMatrixFactorization
        With its ``mean_``.
    outcome : FactorizationOutcome
    mean, square : float
        Means of the ratings and of their squares.
    stacklevel : int
    """
    if outcome.cut:
        reason = (
            f"{outcome.cut}, after {outcome.n_iter} whole iterations and "
            f"{outcome.cost:.3g} US dollars: the model is what had been learnt by then."
        )
    elif outcome.history[-1]["objective"] > _hopeless(model, mean, square):
        reason = (
            "Training did not find a model better than a constant: the objective is "
            f"{outcome.history[-1]['objective']:g}. Choose a smaller learning_rate, or scale "
            "the ratings."
        )
    else:
        return
    warnings.warn(reason, ConvergenceWarning, stacklevel=stacklevel)


def _hopeless(model, mean, square):
    """Return an objective that is worse than that of no factors, even if ratings are all one.

    Factors begin small but not at zero, and may not have come to nothing yet.
    """
    of_constant = square - 2 * mean * model.mean_ + model.mean_**2
    of_start = 0.1 * square
    return of_constant + of_start + 0.1 * model.alpha * model.n_components
