"""Every solver, at its defaults, comes to scikit-learn's optimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_cirrus._logistic_parameters import SOLVERS

from .oracle import SparseOptimum, fit, objective, optimum

# Whether it is told that the epochs ran out is test_convergence's theme.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def problem(request):
    """A data set and the lowest objective there is."""
    X, y = request.getfixturevalue(request.param)
    return X, y, objective(optimum(X, y), X, y)


# On the other two, test_backends.py finds the model of workers to be exactly the one of "inline".
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("problem", "backend"),
    [("cancer", "inline"), ("digits", "inline"), ("a9a", "inline"), ("a9a", "local")],
    indirect=["problem"],
)
def test_defaults_come_within_one_percent(problem, backend, solver):
    X, y, lowest = problem
    model = fit(X, y, solver=solver, backend=backend)
    assert lowest * (1 - 1e-6) <= objective(model, X, y) <= 1.01 * lowest


# The optimum of the first three is well conditioned. C=100 leaves 30 correlated columns nearly
# without a penalty; it takes thousands of epochs to come to the end of that valley (scikit-learn's
# own saga needs 20,000), and the loss of a row hardly changes on the way.
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_penalties_mean_what_they_mean_in_scikit_learn(cancer, C, l1_ratio):
    X, y = cancer
    if l1_ratio == 0:
        exact = optimum(X, y, C=C)
    else:
        exact = SparseOptimum(X, y, C, l1_ratio)
    lowest = objective(exact, X, y, C, l1_ratio)
    for solver in SOLVERS:
        model = fit(X, y, C=C, l1_ratio=l1_ratio, solver=solver)
        reached = objective(model, X, y, C, l1_ratio)
        assert reached >= lowest * (1 - 1e-6), solver
        if C == 100:
            assert (reached - lowest) / (C * len(y)) < 0.02, solver
        else:
            assert reached < 1.02 * lowest, solver


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_weak_penalty_is_met_with_patience(cancer, l1_ratio):
    X, y = cancer
    exact = optimum(X, y, C=100) if l1_ratio == 0 else SparseOptimum(X, y, 100, l1_ratio)
    lowest = objective(exact, X, y, 100, l1_ratio)
    model = fit(X, y, C=100, l1_ratio=l1_ratio, max_iter=600, tol=None)
    assert objective(model, X, y, 100, l1_ratio) < 1.03 * lowest


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_the_sparse_oracle_agrees_with_scikit_learn(cancer, l1_ratio):
    X, y = cancer
    saga = LogisticRegression(l1_ratio=l1_ratio, solver="saga", tol=1e-4, max_iter=5000).fit(X, y)
    exact = SparseOptimum(X, y, 1.0, l1_ratio)
    low, other = (objective(model, X, y, 1.0, l1_ratio) for model in (exact, saga))
    assert low <= other <= 1.001 * low


@pytest.mark.parametrize("C", [0.01, 0.1, 1.0])
def test_ftrl_finds_the_zeros_of_an_l1_penalty(cancer, C):
    X, y = cancer
    exact = SparseOptimum(X, y, C, 1.0)
    model = fit(X, y, C=C, l1_ratio=1.0, solver="ftrl")
    assert np.sum(exact.coef_ == 0) >= 10
    assert np.mean((model.coef_ == 0) == (exact.coef_ == 0)) >= 0.9


def test_multinomial_elastic_net(iris):
    X, y = iris
    saga = LogisticRegression(C=0.1, l1_ratio=0.5, solver="saga", tol=1e-6, max_iter=5000)
    lowest = objective(saga.fit(X, y), X, y, 0.1, 0.5)
    model = fit(X, y, C=0.1, l1_ratio=0.5)
    assert lowest * (1 - 1e-6) <= objective(model, X, y, 0.1, 0.5) < 1.01 * lowest


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_penalty(noisy, solver):
    X, y = noisy
    lowest = objective(optimum(X, y, C=np.inf), X, y, np.inf)
    model = fit(X, y, C=np.inf, solver=solver)
    assert objective(model, X, y, np.inf) < 1.002 * lowest


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_intercept(noisy, solver):
    X, y = noisy
    exact = optimum(X, y, fit_intercept=False)
    model = fit(X, y, fit_intercept=False, solver=solver)
    assert np.array_equal(model.intercept_, [0.0])
    assert objective(model, X, y) < 1.002 * objective(exact, X, y)
    assert objective(exact, X, y) > 1.005 * objective(optimum(X, y), X, y)  # else it proves nothing


def test_no_intercept_multinomial(iris):
    X, y = iris
    model = fit(X, y, fit_intercept=False)
    exact = optimum(X, y, fit_intercept=False)
    assert np.array_equal(model.intercept_, np.zeros(3))
    assert objective(model, X, y) < 1.01 * objective(exact, X, y)


def test_multinomial_intercepts_and_coefficients_are_centred(iris):
    X, y = iris
    model = fit(X, y)
    assert np.allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    assert np.isclose(model.intercept_.sum(), 0, atol=1e-12)


def test_the_answer_does_not_depend_on_offset_and_unit_of_columns(noisy):
    X, y = noisy
    moved = X * 1e4 + 1e6
    model = fit(X, y, C=np.inf)
    again = fit(moved, y, C=np.inf)
    assert np.allclose(again.coef_ * 1e4, model.coef_, rtol=1e-2, atol=1e-2)
    assert np.allclose(again.predict_proba(moved), model.predict_proba(X), atol=5e-3)
