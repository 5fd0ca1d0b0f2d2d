"""What a logistic regression has come to, and what it keeps to go on from.

It loads where no Redis client is.
"""

from dataclasses import dataclass, field

import numpy as np

from ._columns import Columns
from ._rates import Rates


@dataclass(frozen=True)
class LogisticState:
    """What a later ``partial_fit`` or warm start goes on from. Plain arrays: it pickles.

    Attributes
    ----------
    slots : dict of str to float32 array
        Slots of the server's model; ``"weights"`` of shape (rows, width).
    solver : str or None
        None: the slots are the weights alone.
    has_intercept : bool
    columns : Columns
        The centring that the intercept belongs to, and the scales.
    rates : Rates or None
    clock : tuple of (int, float) or None
    seen : float
        Rows that ``partial_fit`` has seen.
    """

    slots: dict
    solver: str | None = None
    has_intercept: bool = True
    columns: Columns = field(default_factory=lambda: Columns(None, None))
    rates: Rates | None = None
    clock: tuple | None = None
    seen: float = 0.0

    @classmethod
    def of_weights(cls, coef, intercept):
        """Return the state of a model of which only the weights are known."""
        return cls({"weights": np.vstack([coef.T, intercept]).astype(np.float32)})


@dataclass(frozen=True)
class LogisticOutcome:
    """The result of a fit: fitted attributes, the state to go on from, and how far it came."""

    coef: np.ndarray
    intercept: np.ndarray
    history: list
    converged: bool
    state: LogisticState
    n_iter: int
    gain: float | None = None  # what the objective can still be lowered by, if looked at
    cost: float = 0.0  # US dollars
    cut: str = ""  # as of Outcome


def weights_of_user(table, columns, fit_intercept, l1_ratio):
    """Return coef_ and intercept_: the server's table in the columns as the user has them.

    Parameters
    ----------
    table : array of shape (n_features or one more, width)
    columns : Columns
    fit_intercept : bool
        Whether the last row is that of the intercept.
    l1_ratio : float

    Returns
    -------
    coef : float64 array of shape (width, n_features)
    intercept : float64 array of shape (width,)
    """
    table = table.astype(np.float64)
    coef = (table[:-1] if fit_intercept else table).T
    intercept = table[-1] if fit_intercept else np.zeros(table.shape[1])
    if columns.center is not None and fit_intercept:
        intercept = intercept - coef @ columns.center
    if table.shape[1] > 1:
        # Adding one vector to all classes changes no probability: take the smallest penalty.
        intercept = intercept - intercept.mean() if fit_intercept else intercept
        if l1_ratio == 0:
            coef = coef - coef.mean(axis=0)
    return np.ascontiguousarray(coef), intercept


def warm_start(model, X, classes):
    """Return the weights of an estimator's fit before, if ``warm_start`` asks for them, or None.

    Parameters
    ----------
    model : CirrusLogisticRegression
    X : array, sparse matrix or Dataset of shape (n_samples, n_features)
    classes : array of shape (n_classes,)

    Raises
    ------
    ValueError
        If they do not fit the data.
    """
    if not (model.warm_start and hasattr(model, "coef_")):
        return None
    if not np.array_equal(classes, model.classes_) or model.coef_.shape[1] != X.shape[1]:
        raise ValueError(
            "warm_start=True needs the classes and the number of features of the fit before: "
            f"{model.classes_!r} and {model.coef_.shape[1]}, not {classes!r} and {X.shape[1]}"
        )
    return LogisticState.of_weights(model.coef_, model.intercept_)


def state_to_go_on_from(model):
    """Return the state of an estimator's solver, or the weights alone after another solver."""
    state = model._state
    if state.solver == model.solver and state.has_intercept == model.fit_intercept:
        return state
    return LogisticState.of_weights(model.coef_, model.intercept_)
