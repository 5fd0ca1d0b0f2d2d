"""Every constructor parameter is used as documented, or refused by name before anything starts."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus._factorization_parameters import SOLVERS

from . import oracle

X = np.array([[5.0, 3.0, np.nan, 1.0], [4.0, np.nan, 2.0, 1.0], [np.nan, 1.0, 4.0, 5.0]])
BAD = {
    "n_components": [0, -1, 1.5, None, "10", True],
    "alpha": [0, 0.0, -1.0, np.inf, np.nan, "1", None, True],
    "biased": [1, None, "yes"],
    "solver": ["lbfgs", "newton", None, 1],
    "learning_rate": [0, -1.0, np.nan, np.inf, 1e9, "optimal", None, True],
    "batch_size": [0, -1, 1.5, "all", None, True],
    "max_iter": [0, -1, 10.0, None, "10", True],
    "tol": [-1e-9, np.nan, 2, "small", True],
    "early_stopping": [1, None, "yes"],
    "validation_fraction": [0, 1, -0.1, np.nan, None, "0.1"],
    "n_iter_no_change": [0, 2.5, None, True],
    "warm_start": [1, None],
    "random_state": ["zero", -1, 1.5],
    "n_workers": [0, -1, 1.5, "2", True],
    "backend": ["cloud", 1, "dask"],
    "verbose": [-1, 0.5, "loud", None],
}
# NumPy's own numbers are numbers as well.
GOOD = {
    "n_components": [1, np.int64(3), 20],
    "alpha": [np.float32(0.5), 1, np.int64(2), 1e-6],
    "biased": [np.bool_(False), True],
    "solver": [*SOLVERS, "als"],
    "learning_rate": [np.float32(0.1)],
    "batch_size": [np.int64(2), 10**6],
    "max_iter": [np.int32(3)],
    "tol": [None, 0, 1],
    "early_stopping": [np.bool_(True)],
    "random_state": [None, 0, np.int64(7), np.random.RandomState(0)],
    "n_workers": [1, np.int64(1)],
    "verbose": [0, False, np.int64(0)],
}


def new(**parameters):
    """Return an estimator that is deterministic."""
    return CirrusMatrixFactorization(**{"backend": "inline", "random_state": 0} | parameters)


def test_the_table_covers_every_parameter():
    assert sorted(BAD) == sorted(CirrusMatrixFactorization().get_params())


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_values_are_refused_by_name(name, value, monkeypatch):
    # Refused before a server or a worker is needed.
    monkeypatch.setattr("sklearn_cirrus._open_run.open_place", None)
    with pytest.raises(ValueError, match=name):
        new(**{name: value}).fit(X)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_good_values_of_every_type_are_taken(name, value):
    mf = new(**{"max_iter": 5} | {name: value}).fit(X)
    assert np.isfinite(mf.components_).all() and np.isfinite(mf.transform(X)).all()
    assert getattr(mf, name) is value


def test_no_penalty_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="has no single best factors"):
        new(alpha=0).fit(X)


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.1), ("batch_size", 10)])
def test_als_refuses_what_has_no_meaning(name, value):
    with pytest.raises(ValueError, match=f"{name} has no meaning for solver='als'"):
        new(solver="als", **{name: value}).fit(X)


def test_a_constructor_stores_and_nothing_else():
    values = {name: object() for name in CirrusMatrixFactorization().get_params()}
    assert vars(CirrusMatrixFactorization(**values)) == values


def test_max_iter_and_batch_size_are_live(ratings):
    mf = new(max_iter=4, tol=None, batch_size=29).fit(ratings)
    assert mf.n_iter_ == 4
    # 59 users have ratings.
    assert [entry["updates"] for entry in mf.history_] == [3] * 4
    assert {entry["rows"] for entry in mf.history_} == {np.isfinite(ratings).sum()}


def test_a_penalty_makes_factors_small(ratings):
    norms = [np.linalg.norm(new(alpha=alpha).fit(ratings).components_) for alpha in (0.01, 0.3, 5)]
    assert norms[0] > norms[1] > 3 * norms[2]


@pytest.mark.parametrize("solver", ["adagrad", "als"])
def test_early_stopping_watches_hidden_ratings(ratings, solver):
    parameters = {"validation_fraction": 0.2, "max_iter": 30, "solver": solver}
    mf = new(early_stopping=True, n_components=2, **parameters).fit(ratings)
    losses = [entry["valid_loss"] for entry in mf.history_]
    assert min(losses) < 0.7 * losses[0]
    n = np.isfinite(ratings).sum()
    trained = n - round(0.2 * n)  # als may go through them twice
    assert {entry["rows"] for entry in mf.history_} <= {trained, (solver == "als") * 2 * trained}
    # Users are solved with all of their ratings in the end.
    model = mf.components_, mf.item_bias_, mf.mean_
    expected = oracle.fold_in(ratings, *model, mf.alpha, True)
    np.testing.assert_allclose(mf.user_factors_, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("solver", ["adagrad", "als"])
@pytest.mark.parametrize("biased", [True, False])
def test_warm_start_goes_on(ratings, biased, solver):
    parameters = {"n_components": 2, "max_iter": 8, "biased": biased, "solver": solver}
    mf = new(warm_start=True, **parameters).fit(ratings)
    first = mf.history_[0]["train_loss"]
    mf.fit(ratings)
    assert mf.history_[0]["train_loss"] < 0.7 * first
    cold = new(**parameters)
    assert cold.fit(ratings).fit(ratings).history_[0]["train_loss"] == pytest.approx(first)


@pytest.mark.parametrize(
    ("parameters", "shape"), [({"n_components": 3}, 4), ({"biased": False}, 4), ({}, 3)]
)
def test_warm_start_refuses_another_model(parameters, shape):
    mf = new(n_components=2, max_iter=2, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="warm_start=True needs"):
        mf.set_params(**parameters).fit(X[:, :shape])


def test_a_model_no_better_than_a_constant_is_warned_of(ratings):
    with pytest.warns(ConvergenceWarning, match="smaller learning_rate"):
        new(solver="sgd", learning_rate=5.0, batch_size=5, max_iter=3).fit(ratings)


def test_early_stopping_needs_ratings_to_hide():
    with pytest.raises(ValueError, match="early_stopping needs two ratings"):
        new(early_stopping=True).fit([[1.0]])
