"""scikit-learn's own checks, over every solver, and on every backend."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_cirrus import CirrusLogisticRegression, CirrusMatrixFactorization
from sklearn_cirrus._logistic_parameters import SOLVERS

# What scikit-learn declares for its SGDClassifier, for the same reason.
_WEIGHTS = (
    "a weighted row is not a repeated row to a stochastic solver: it is met once an epoch with a "
    "larger gradient, and the order of rows differs"
)
_EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": _WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": _WEIGHTS,
}
# test_backends.py holds every solver by minibatches to the same model on both backends, so worker
# processes are checked with one of them.
_CASES = [(solver, "inline") for solver in (*SOLVERS, "lbfgs")]
_CASES += [(solver, "local") for solver in ("adagrad", "lbfgs")]
# The default comes to its end, as it does for a user. Of the others the checks ask nothing that
# the first epochs do not bring.
_FEWER = {solver: {"max_iter": 15} for solver in SOLVERS if solver != "adagrad"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        CirrusLogisticRegression(solver=solver, backend=backend, **_FEWER.get(solver, {}))
        for solver, backend in _CASES
    ],
    expected_failed_checks=lambda estimator: {} if estimator.solver == "lbfgs" else _EXPECTED,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


_FACTORIZATIONS = [
    (solver, backend) for solver in ("adagrad", "als") for backend in ("inline", "local")
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        CirrusMatrixFactorization(solver=solver, backend=backend)
        for solver, backend in _FACTORIZATIONS
    ]
)
def test_scikit_learn_checks_of_matrix_factorization(estimator, check):
    check(estimator)
