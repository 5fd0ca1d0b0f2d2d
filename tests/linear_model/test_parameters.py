"""Every constructor parameter is used as documented, or refused by name before anything starts."""

import numpy as np
import pytest

from sklearn_cirrus import CirrusLogisticRegression, config_context

X = np.array([[0.0], [1.0], [2.0], [3.0]])
Y = np.array([0, 0, 1, 1])
BAD = {
    "C": [0, -1.0, -np.inf, np.nan, "1", None, True],
    "l1_ratio": [-0.1, 1.1, np.nan, None, "0", False],
    "fit_intercept": [1, None, "yes"],
    "class_weight": ["even", 2, [1, 2]],
    "solver": ["newton", None, 1],
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
    "C": [np.float32(2), np.int64(3), np.inf],
    "l1_ratio": [0, 1, np.float64(0.5)],
    "fit_intercept": [np.bool_(False)],
    "class_weight": [{}, {0: 2}],
    "learning_rate": [1, np.float32(0.5)],
    "batch_size": [np.int64(2), 10**6],
    "max_iter": [np.int32(3)],
    "tol": [None, 0, 1],
    "validation_fraction": [0.5],
    "n_iter_no_change": [np.int64(2)],
    "random_state": [None, 0, np.int64(7), np.random.RandomState(0)],
    "n_workers": [1, np.int64(1)],
    "verbose": [0, False, np.int64(0)],
}


def test_the_table_covers_every_parameter():
    assert sorted(BAD) == sorted(CirrusLogisticRegression().get_params())


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_values_are_refused_by_name(name, value, monkeypatch):
    # Refused before a server or a worker is needed.
    monkeypatch.setattr("sklearn_cirrus._open_run.open_place", None)
    parameters = {"backend": "inline"} | {name: value}
    with pytest.raises(ValueError, match=name):
        CirrusLogisticRegression(**parameters).fit(X, Y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", ["C", "solver", "batch_size", "backend"])
def test_both_ways_of_training_check(method, name):
    model = CirrusLogisticRegression(backend="inline").set_params(**{name: BAD[name][0]})
    arguments = (X, Y, [0, 1]) if method == "partial_fit" else (X, Y)
    with pytest.raises(ValueError, match=name):
        getattr(model, method)(*arguments)
    assert not hasattr(model, "coef_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_good_values_of_every_type_are_taken(name, value):
    parameters = {"backend": "inline", "max_iter": 5} | {name: value}
    model = CirrusLogisticRegression(**parameters).fit(X, Y)
    assert np.isfinite(model.coef_).all()
    assert getattr(model, name) is value


def test_inline_has_one_worker():
    with pytest.raises(ValueError, match="backend 'inline' has one worker, not 2"):
        CirrusLogisticRegression(backend="inline", n_workers=2).fit(X, Y)
    with config_context(backend="inline", n_workers=2), pytest.raises(ValueError, match="inline"):
        CirrusLogisticRegression().fit(X, Y)


def test_the_parameter_goes_before_the_configuration():
    with config_context(backend="local", redis_url="redis://nowhere.invalid"):
        model = CirrusLogisticRegression(backend="inline", random_state=0).fit(X, Y)
    assert model.score(X, Y) == 1.0


def test_a_constructor_stores_and_nothing_else():
    values = {name: object() for name in CirrusLogisticRegression().get_params()}
    model = CirrusLogisticRegression(**values)
    assert vars(model) == values


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_max_iter_batch_size_and_learning_rate_are_live(noisy):
    X, y = noisy
    parameters = {"backend": "inline", "random_state": 0, "tol": None}
    base = CirrusLogisticRegression(max_iter=4, batch_size=100, **parameters).fit(X, y)
    assert len(base.history_) == 4
    assert [entry["updates"] for entry in base.history_] == [20] * 4
    smaller = CirrusLogisticRegression(max_iter=4, batch_size=10, **parameters).fit(X, y)
    assert [entry["updates"] for entry in smaller.history_] == [200] * 4
    rates = [
        CirrusLogisticRegression(solver="sgd", max_iter=10, learning_rate=rate, **parameters)
        .fit(X, y)
        .history_[4]["learning_rate"]
        for rate in (0.01, 0.1)
    ]
    assert np.allclose(rates, (0.01, 0.1))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"sample_weight": [1, 1, -1, 1]}, "Negative"),
        ({"sample_weight": [0, 0, 0, 0]}, "non-zero"),
        ({"sample_weight": [1, 1, np.nan, 1]}, "NaN"),
        ({"sample_weight": [1, 1, 1]}, "sample_weight.shape"),
        ({"sample_weight": np.ones((4, 1))}, "1D"),
        ({"X": X[:3]}, "inconsistent numbers of samples"),
        ({"X": X + np.inf}, "infinity|NaN"),
        ({"X": X * 1e31}, "float32"),
        ({"X": np.empty((0, 1)), "y": []}, "0 sample"),
        ({"X": np.ones((4, 0))}, "0 feature"),
        ({"y": [0.1, 0.2, 0.3, 0.4]}, "continuous"),
        ({"y": [1, 1, 1, 1]}, "only one class"),
        ({"y": np.eye(4, dtype=int)}, "1d"),
    ],
)
def test_bad_data_is_refused_with_the_reason(bad, message):
    arguments = {"X": X, "y": Y} | bad
    with pytest.raises(ValueError, match=message):
        CirrusLogisticRegression(backend="inline").fit(**arguments)
