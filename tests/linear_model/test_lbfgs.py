"""solver="lbfgs" comes to scikit-learn's coefficients; what has no meaning for it is refused."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._logistic_parameters import SOLVERS

from .oracle import fit as fit_any
from .oracle import log_losses, objective
from .test_weights import weights_of

NEAR = 1e-3  # largest error of a coefficient, relative to the largest coefficient


def fit(X, y, sample_weight=None, **parameters):
    """Fit inline, to the end."""
    parameters = {"tol": 1e-8, "max_iter": 4000} | parameters
    return fit_any(X, y, sample_weight, solver="lbfgs", **parameters)


def reference(X, y, sample_weight=None, solver="newton-cholesky", **parameters):
    """Return scikit-learn's model; its lbfgs needs minutes to come as close on digits."""
    parameters = {"tol": 1e-10, "max_iter": 10000} | parameters
    return LogisticRegression(solver=solver, **parameters).fit(X, y, sample_weight)


def assert_same(model, exact, near=NEAR):
    largest = np.abs(exact.coef_).max()
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=near * largest)
    size = max(largest, np.abs(exact.intercept_).max())
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=near * size)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", ["cancer", "raw_cancer", "digits", "a9a", "iris"])
def test_coefficients_are_those_of_scikit_learn(request, name, C, fit_intercept):
    X, y = request.getfixturevalue(name)
    parameters = {"C": C, "fit_intercept": fit_intercept}
    assert_same(fit(X, y, **parameters), reference(X, y, **parameters))


def test_scikit_learns_own_lbfgs_agrees(cancer):
    exact = reference(*cancer, solver="lbfgs", tol=1e-9)
    assert_same(fit(*cancer), exact, near=1e-5)


@pytest.fixture(scope="module")
def overlapping_a9a(a9a):
    """a9a without the 87 rows that have a feature of one class alone.

    Without a penalty such a feature has no best weight. What is left has one best model, but many
    weights for it: columns are dependent, and some are empty now.
    """
    X, y = a9a
    counts, positive = (np.asarray(part.sum(axis=0)).ravel() for part in (X, X[y == 1]))
    pure = (counts > 0) & ((positive == 0) | (positive == counts))
    kept = np.asarray(X[:, pure].sum(axis=1)).ravel() == 0
    assert (~kept).sum() == 87
    return X[kept], y[kept]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_no_penalty(overlapping_a9a, noisy, fit_intercept):
    parameters = {"C": np.inf, "fit_intercept": fit_intercept}
    for X, y in (overlapping_a9a, noisy):
        exact = reference(X, y, solver="lbfgs", tol=1e-8, **parameters)
        assert_same(fit(X, y, **parameters), exact)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["cancer", "digits"])
def test_no_penalty_on_separable_data_finds_a_separation(request, name):
    X, y = request.getfixturevalue(name)  # the optimum lies at infinity: nothing to compare with
    model = fit(X, y, C=np.inf, tol=1e-4)
    assert model.score(X, y) == 1.0
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.3, 1: 7}])
@pytest.mark.parametrize("name", ["cancer", "digits"])
def test_weights(request, name, class_weight):
    X, y = request.getfixturevalue(name)
    if isinstance(class_weight, dict) and name == "digits":
        class_weight = class_weight | {9: 0.01}
    weights = weights_of(len(y))
    parameters = {"C": 0.1, "class_weight": class_weight}
    assert_same(fit(X, y, weights, **parameters), reference(X, y, weights, **parameters))


def test_a_weight_is_a_repetition(digits):
    X, y = digits
    times = np.arange(len(y)) % 3
    weighted = fit(X, y, times, C=0.01, tol=1e-5)
    repeated = fit(np.repeat(X, times, axis=0), np.repeat(y, times), C=0.01, tol=1e-5)
    assert_same(weighted, repeated, near=1e-9)
    dropped = fit(X[times > 0], y[times > 0], times[times > 0], C=0.01, tol=1e-5)
    assert np.array_equal(weighted.coef_, dropped.coef_)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, np.asfortranarray])
def test_the_form_of_X_does_not_matter(cancer, form, wide):
    X, y = cancer
    X = np.hstack([X, np.random.default_rng(0).normal(size=(len(y), 600))]) if wide else X
    model = fit(form(X), y)
    assert_same(model, fit(X, y), near=1e-6)
    assert_same(model, reference(X, y), near=1e-4)


@pytest.mark.parametrize("far", [1e5, 1e6, 1e7])
def test_float64_loses_nothing(noisy, far):
    """Columns far from zero: float32 would leave them 4 bits or none.

    Rounding ends the iterations, one way or another: that is nothing to warn of.
    """
    X, y = noisy
    moved = X + far
    model, exact = fit(moved, y, C=1.0), reference(X, y, C=1.0)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=2e-5)
    assert np.allclose(model.predict_proba(moved), exact.predict_proba(X), atol=2e-5)


def test_float32_is_computed_with_in_float64(noisy):
    X, y = noisy
    narrow = X.astype(np.float32)
    assert np.array_equal(fit(narrow, y).coef_, fit(narrow.astype(np.float64), y).coef_)


def test_constant_empty_and_equal_columns(noisy):
    X, y = noisy
    X = np.hstack([X, X[:, :1], np.full((len(y), 1), 0.1), np.zeros((len(y), 1))])
    assert_same(fit(X, y), reference(X, y))
    free = fit(X, y, C=np.inf)
    assert_same(free, reference(X, y, C=np.inf, solver="lbfgs", tol=1e-9))


def test_history(a9a):
    X, y = a9a
    model = fit(X, y, C=0.01, tol=1e-4)
    history = model.history_
    assert model.n_iter_ == len(history) == history[-1]["epoch"]
    assert all(entry["rows"] == entry["evaluations"] * len(y) for entry in history)
    objectives = [entry["objective"] for entry in history]
    assert objectives == sorted(objectives, reverse=True)
    last = history[-1]
    per_row = objective(model, X, y, 0.01) / (0.01 * len(y))
    assert last["objective"] == pytest.approx(per_row, rel=1e-12)
    losses = log_losses(model.coef_, model.intercept_, X, y)
    assert last["train_loss"] == pytest.approx(losses.mean(), rel=1e-12)
    assert last["gradient"] <= 1e-4 < history[-2]["gradient"]
    seconds = [entry["seconds"] for entry in history]
    assert seconds == sorted(seconds)


def test_too_few_iterations_are_told(cancer):
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3.*Increase max_iter"):
        model = fit(*cancer, max_iter=3)
    assert model.n_iter_ == len(model.history_) == 3


def test_tol_none_goes_as_far_as_the_objective_falls(noisy):
    model = fit(*noisy, tol=None)
    assert_same(model, reference(*noisy), near=1e-6)
    short = fit(*noisy, tol=None, max_iter=2)  # no warning: that is what was asked for
    assert short.n_iter_ == 2


def test_warm_start(cancer):
    X, y = cancer
    model = fit(X, y, C=0.1, warm_start=True)
    cold = model.n_iter_
    model.set_params(C=0.11).fit(X, y)
    assert 1 <= model.n_iter_ < cold
    assert_same(model, reference(X, y, C=0.11), near=1e-5)
    coef = model.coef_
    model.set_params(tol=1e-6).fit(X, y)
    assert model.n_iter_ == 0 and len(model.history_) == 1  # it is there already
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-12)


def test_other_solvers_go_on_from_its_weights(cancer):
    X, y = cancer
    model = pickle.loads(pickle.dumps(fit(X, y)))
    before = objective(model, X, y)
    model.set_params(solver="sgd", learning_rate=1e-4).partial_fit(X, y)
    assert objective(model, X, y) == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"l1_ratio": 0.5}, "supports only 'l2' or None penalties, got l1_ratio=0.5"),
        ({"learning_rate": 0.1}, "learning_rate has no meaning for solver='lbfgs'"),
        ({"batch_size": 10}, "batch_size has no meaning"),
        ({"early_stopping": True}, "early_stopping has no meaning"),
    ],
)
def test_what_has_no_meaning_is_refused(noisy, parameters, message):
    with pytest.raises(ValueError, match=message):
        fit(*noisy, **parameters)


def test_there_is_no_partial_fit():
    model = CirrusLogisticRegression(solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        model.partial_fit([[0.0], [1.0]], [0, 1], [0, 1])
    reason = str(caught.value.__cause__)
    assert "solver='lbfgs'" in reason and all(solver in reason for solver in SOLVERS)
