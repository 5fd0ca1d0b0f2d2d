"""Row weights and class weights move the optimum as they do in scikit-learn."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_cirrus._logistic_parameters import SOLVERS

from .oracle import fit, objective, optimum

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def weights_of(n):
    """Weights from 0.01 to 100, some zero, that do not add up to n."""
    rng = np.random.default_rng(2)
    return np.where(rng.random(n) < 0.2, 0.0, np.exp(rng.normal(scale=1.5, size=n)))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", ["inline", "local"])
def test_sample_weight(cancer, solver, backend):
    X, y = cancer
    weights = weights_of(len(y))
    lowest = objective(optimum(X, y, weights), X, y, weights=weights)
    reached = objective(fit(X, y, weights, solver=solver, backend=backend), X, y, weights=weights)
    assert reached < 1.02 * lowest
    # Unweighted training is told apart.
    assert objective(optimum(X, y), X, y, weights=weights) > 1.1 * lowest


@pytest.mark.parametrize("class_weight", [{0: 1, 1: 20}, {1: 0.2}, "balanced"])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weight(noisy, class_weight, weighted):
    X, y = noisy
    rows = np.flatnonzero((y == 1) | (np.arange(len(y)) % 5 == 0))  # an uneven share of classes
    X, y = X[rows], y[rows]
    own = weights_of(len(y)) if weighted else None
    exact = optimum(X, y, own, class_weight=class_weight)
    model = fit(X, y, own, class_weight=class_weight)
    if weighted and class_weight == "balanced":  # counts weighted rows, as scikit-learn's
        total = np.bincount(y, own)
        weights = own * (own.sum() / (2 * total))[y]
    else:
        weights = compute_sample_weight(class_weight, y) * (1.0 if own is None else own)
    assert objective(model, X, y, weights=weights) < 1.005 * objective(exact, X, y, weights=weights)
    plain = optimum(X, y, own)
    assert objective(plain, X, y, weights=weights) > 1.02 * objective(exact, X, y, weights=weights)


def test_a_weight_for_all_rows_is_a_larger_C(noisy):
    X, y = noisy
    weighted = fit(X, y, 3.0, C=0.01)
    exact = optimum(X, y, C=0.03)
    assert objective(weighted, X, y, 0.03) < 1.002 * objective(exact, X, y, 0.03)
