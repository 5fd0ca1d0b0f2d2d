"""What the estimator is compared with: scikit-learn's objective and its optimum, in float64."""

import joblib
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression

from sklearn_cirrus import CirrusLogisticRegression


def fit(X, y, sample_weight=None, **parameters):
    """Fit inline, with a fixed seed."""
    parameters = {"backend": "inline", "random_state": 0} | parameters
    return CirrusLogisticRegression(**parameters).fit(X, y, sample_weight)


def log_losses(coef, intercept, X, labels):
    """Return the loss of each row, float64 of shape (n_samples,); labels count from 0."""
    scores = X @ np.asarray(coef).T + intercept
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    return -log_softmax(scores, axis=1)[np.arange(len(labels)), labels]


def objective(model, X, labels, C=1.0, l1_ratio=0.0, weights=None):
    """Return what scikit-learn minimises: ``C * sum_i s_i loss_i + penalty``.

    With ``C=np.inf``: the sum of the losses.
    """
    losses = log_losses(model.coef_, model.intercept_, X, labels)
    total = losses.sum() if weights is None else losses @ weights
    if C == np.inf:
        return total
    coef = model.coef_
    penalty = (1 - l1_ratio) / 2 * (coef**2).sum() + l1_ratio * np.abs(coef).sum()
    return C * total + penalty


_optima = {}


def optimum(X, y, weights=None, **parameters):
    """Return scikit-learn's model with an L2 penalty or none, at its optimum (by Newton steps).

    It is found once for the same data and parameters: most tests ask for it for every solver.
    """
    key = joblib.hash((X, y, weights, parameters))
    if key not in _optima:
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-8, max_iter=1000, **parameters)
        _optima[key] = exact.fit(X, y, sample_weight=weights)
    return _optima[key]


class SparseOptimum:
    """The optimum of a binary model with an L1 penalty, by L-BFGS-B on ``w = p - q``, p, q >= 0.

    scikit-learn's saga needs minutes to come as close on badly conditioned data.
    """

    def __init__(self, X, labels, C, l1_ratio):
        d = X.shape[1]
        signs = 2 * labels - 1

        def function(v):
            coef = v[:d] - v[d:-1]
            margins = signs * (X @ coef + v[-1])
            inner = -C * signs * expit(-margins)
            slope = X.T @ inner + (1 - l1_ratio) * coef
            value = C * np.logaddexp(0, -margins).sum() + (1 - l1_ratio) / 2 * coef @ coef
            gradient = np.concatenate([slope + l1_ratio, l1_ratio - slope, [inner.sum()]])
            return value + l1_ratio * v[:-1].sum(), gradient

        found = minimize(
            *(function, np.zeros(2 * d + 1)),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * (2 * d) + [(None, None)],
            options={"maxiter": 10000, "maxfun": 20000, "ftol": 1e-11, "gtol": 1e-6},
        )
        self.coef_ = (found.x[:d] - found.x[d:-1])[np.newaxis]
        self.intercept_ = found.x[-1:]
