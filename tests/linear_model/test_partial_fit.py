"""partial_fit and warm_start go on from where training stopped."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._logistic_parameters import SOLVERS

from .oracle import log_losses, objective, optimum


def new(**parameters):
    """Return an estimator that is deterministic."""
    return CirrusLogisticRegression(**{"backend": "inline", "random_state": 0} | parameters)


def excess_after_five_calls(X, y, **parameters):
    """Return by how much the mean loss is above the optimum's after five calls on all rows."""
    model = new(**parameters)
    for call in range(5):
        assert model.partial_fit(X, y, classes=[0, 1] if call == 0 else None) is model
        assert model.n_iter_ == len(model.history_) == 1
    exact = optimum(X, y)
    losses = (log_losses(m.coef_, m.intercept_, X, y).mean() for m in (model, exact))
    return next(losses) - next(losses)


@pytest.mark.parametrize("backend", ["inline", "local"])
@pytest.mark.parametrize(
    ("solver", "rate"),
    [
        *(("sgd", 0.1), ("momentum", 0.01), ("nesterov", 0.01)),
        *(("adagrad", 1.0), ("adam", 0.02), ("ftrl", 1.0)),
    ],
)
def test_calls_add_up(noisy, solver, rate, backend):
    X, y = noisy
    assert excess_after_five_calls(X, y, solver=solver, learning_rate=rate, backend=backend) < 0.01


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_automatic_rate_serves_partial_fit(noisy, solver):
    assert excess_after_five_calls(*noisy, solver=solver) < 0.03


@pytest.mark.parametrize(("solver", "rate"), [("sgd", 0.3), ("adagrad", 4.0), ("ftrl", 4.0)])
def test_streams_of_new_rows(solver, rate):
    rng = np.random.default_rng(4)
    true = np.array([1.0, -2.0, 0.5])
    model = new(solver=solver, batch_size=10, learning_rate=rate)
    for _ in range(40):
        X = rng.normal(size=(200, 3))
        y = np.where(X @ true + 1 + rng.logistic(size=200) > 0, "up", "down")
        model.partial_fit(X, y, classes=["down", "up"])
    assert np.allclose(model.coef_[0], true, atol=0.35)
    assert model.intercept_[0] == pytest.approx(1, abs=0.35)
    assert list(model.classes_) == ["down", "up"]


def sgd_by_hand(batches, rate, strength):
    """Return weights and intercept of plain SGD in float64: the mean gradient of each batch."""
    weights, intercept, seen = np.zeros(2), 0.0, 0
    for X, y in batches:
        seen += len(y)
        error = 1 / (1 + np.exp(-(X @ weights + intercept))) - y
        gradient, slope = error @ X / len(y), error.mean()
        # The penalty is per row that partial_fit has seen; its step is implicit (proximal).
        weights = (weights - rate * gradient) / (1 + rate * strength / seen)
        intercept -= rate * slope
    return weights, intercept


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_a_worked_example(backend):
    # Columns with deviations of one to both sides: centred at 0 and scaled by 1 as they are.
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    batches = [(X, np.array([1, 1, 0, 0])), (X[::-1], np.array([0, 1, 1, 1])), (X, [1, 0, 1, 1])]
    model = new(solver="sgd", learning_rate=0.5, batch_size=4, C=0.1, backend=backend)
    for part, labels in batches:
        model.partial_fit(part, labels, classes=[0, 1])
    weights, intercept = sgd_by_hand(
        [(part, np.asarray(labels)) for part, labels in batches], 0.5, 10.0
    )
    assert np.allclose(model.coef_[0], weights, atol=1e-6)
    assert model.intercept_[0] == pytest.approx(intercept, abs=1e-6)
    assert intercept > 0.1


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_state_survives_a_pickle(noisy, solver):
    X, y = noisy
    straight = new(solver=solver).partial_fit(X, y, classes=[0, 1])
    restored = pickle.loads(pickle.dumps(straight))
    for model in (straight, restored):
        model.partial_fit(X[:500], y[:500])
    assert np.array_equal(straight.coef_, restored.coef_)
    assert np.array_equal(straight.intercept_, restored.intercept_)
    # and it matters: a start from the weights alone goes another way
    if solver in ("adagrad", "adam", "momentum", "ftrl"):
        bare = new(solver=solver).partial_fit(X, y, classes=[0, 1])
        bare._state = type(bare._state).of_weights(bare.coef_, bare.intercept_)
        bare.partial_fit(X[:500], y[:500])
        assert not np.allclose(bare.coef_, straight.coef_, rtol=1e-4)


def test_partial_fit_goes_on_after_fit(noisy):
    X, y = noisy
    model = new(C=0.01).fit(X, y)
    reached = objective(model, X, y, 0.01)
    before = model.coef_.copy()
    model.set_params(learning_rate=1.0).partial_fit(X, y)
    assert not np.array_equal(model.coef_, before)
    assert objective(model, X, y, 0.01) < 1.02 * reached


def test_another_solver_goes_on_from_the_weights(noisy):
    X, y = noisy
    model = new(solver="adagrad", C=0.01).fit(X, y)
    reached = objective(model, X, y, 0.01)
    model.set_params(solver="sgd", learning_rate=0.01).partial_fit(X, y)
    assert objective(model, X, y, 0.01) < 1.02 * reached


def test_multinomial_and_sparse(iris):
    X, y = iris
    X = sparse.csr_array(X)
    model = new(solver="adam", learning_rate=0.05)
    for _ in range(60):
        model.partial_fit(X, y, classes=range(3))
    assert model.score(X, y) > 0.9


def test_classes_that_have_not_come_yet(iris):
    X, y = iris
    model = new().partial_fit(X[y < 2], y[y < 2], classes=[2, 0, 1])
    assert list(model.classes_) == [0, 1, 2] and model.coef_.shape == (3, 4)
    assert model.predict_proba(X).shape == (150, 3)


def test_one_row_of_one_class_is_enough():
    model = new().partial_fit([[1.0, 2.0]], [1], classes=[0, 1])
    assert model.predict([[1.0, 2.0]]) == [1]


def test_sample_weight_zero_moves_nothing_but_the_penalty(noisy):
    X, y = noisy
    weights = np.where(np.arange(len(y)) < 1000, 1.0, 0.0)
    flipped = np.where(weights > 0, y, 1 - y)
    a = new(C=np.inf).partial_fit(X, y, [0, 1], weights)
    b = new(C=np.inf).partial_fit(X, flipped, [0, 1], weights)
    assert np.array_equal(a.coef_, b.coef_)


def test_class_weight_dict(noisy):
    X, y = noisy
    weighted = new(class_weight={0: 5.0}).partial_fit(X, y, [0, 1])
    rows = new().partial_fit(X, y, [0, 1], np.where(y == 0, 5.0, 1.0))
    assert np.array_equal(weighted.coef_, rows.coef_)
    assert not np.array_equal(weighted.coef_, new().partial_fit(X, y, [0, 1]).coef_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "classes must be passed on the first call"),
        (([0],), "at least 2 classes"),
        (([0, 5],), r"y has classes that partial_fit was not told of: array\(\[1\]\)"),
    ],
)
def test_the_first_call_names_the_classes(noisy, arguments, message):
    model = new()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*noisy, *arguments)
    assert not hasattr(model, "classes_")


def test_later_calls_must_agree(noisy):
    X, y = noisy
    model = new().partial_fit(X, y, [0, 1])
    before = model.coef_
    model.partial_fit(X, y, [1, 0, 0])  # the same set
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, y, [0, 1, 2])
    with pytest.raises(ValueError, match=r"not told of: array\(\[3\]\)"):
        model.partial_fit(X, np.where(y == 1, 3, 0))
    with pytest.raises(ValueError, match="4 features.*5 features"):
        model.partial_fit(X[:, :4], y)
    assert before.shape == model.coef_.shape


def test_balanced_is_refused_with_the_way_out(noisy):
    with pytest.raises(ValueError, match="class_weight='balanced'.*compute_class_weight"):
        new(class_weight="balanced").partial_fit(*noisy, [0, 1])


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_begins_where_the_last_fit_ended(noisy, solver):
    X, y = noisy
    cold = new(solver=solver, C=0.01, tol=None, max_iter=20, warm_start=True).fit(X, y)
    first = cold.history_[0]["objective"]
    reached = cold.history_[-1]["objective"]
    cold.fit(X, y)
    warm = cold.history_[0]["objective"]
    assert warm - reached < 0.5 * (first - reached)
    again = clone(cold).fit(X, y)
    assert again.history_[0]["objective"] == first


def test_warm_start_on_columns_far_from_zero(noisy):
    X, y = noisy[0] + 1000, noisy[1]
    model = new(C=0.01, tol=None, max_iter=30, warm_start=True).fit(X, y)
    reached = model.history_[-1]["objective"]
    model.set_params(learning_rate=1e-6).fit(X, y)  # moves nothing: shows where it begins
    assert model.history_[0]["objective"] == pytest.approx(reached, rel=0.01)


def test_warm_start_follows_a_path_of_penalties(cancer):
    X, y = cancer
    model = new(warm_start=True, max_iter=200)
    for C in (0.01, 0.1, 1.0):
        model.set_params(C=C).fit(X, y)
        assert objective(model, X, y, C) < 1.01 * objective(optimum(X, y, C=C), X, y, C)


def test_warm_start_without_intercept_and_on_sparse_data(noisy):
    X, y = noisy
    for data in (X, sparse.csr_array(X)):
        model = new(fit_intercept=False, warm_start=True, tol=None, max_iter=10).fit(data, y)
        reached = model.history_[-1]["objective"]
        model.fit(data, y)
        assert model.history_[0]["objective"] < reached + 0.02


def test_warm_start_refuses_other_data(noisy):
    X, y = noisy
    model = new(warm_start=True, tol=None, max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True needs the classes and the number of fea"):
        model.fit(X[:, :3], y)
    with pytest.raises(ValueError, match="warm_start=True needs the classes"):
        model.fit(X, y + 1)
    model.set_params(warm_start=False).fit(X[:, :3], y)
    assert model.coef_.shape == (1, 3)


def test_without_warm_start_a_second_fit_is_the_first_again(noisy):
    X, y = noisy
    model = new(tol=None, max_iter=5).fit(X, y)
    first = model.coef_.copy()
    assert np.array_equal(model.fit(X, y).coef_, first)
