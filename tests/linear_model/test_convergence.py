"""history_, and whether a fit says that it has not come to the end."""

import re
import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._logistic_parameters import SOLVERS
from sklearn_cirrus.exceptions import DivergenceError

from .oracle import log_losses, objective, optimum

FIELDS = {
    *("epoch", "train_loss", "objective", "learning_rate", "rows", "updates", "workers"),
    *("seconds", "compute_seconds", "server_seconds", "wait_seconds", "server_bytes"),
    *("localize_seconds", "load_seconds", "stall_seconds", "cache_hits"),
    *("workers_replaced", "server_restarts"),
}


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_history(noisy, backend):
    X, y = noisy
    model = CirrusLogisticRegression(C=0.01, backend=backend, random_state=0).fit(X, y)
    history = model.history_
    assert model.n_iter_ == len(history) <= model.max_iter
    assert all(set(entry) == FIELDS for entry in history)
    assert [entry["epoch"] for entry in history] == list(range(1, model.n_iter_ + 1))
    assert {entry["rows"] for entry in history} == {len(y)}
    assert {entry["updates"] for entry in history} == {-(-len(y) // (len(y) // 112))}
    assert {entry["workers"] for entry in history} == {1}
    seconds = [entry["seconds"] for entry in history]
    assert seconds == sorted(seconds) and 0 < seconds[0]
    for entry in history:
        parts = [entry[f"{part}_seconds"] for part in ("localize", "compute", "server")]
        assert min(parts) > 0 and sum(parts) < seconds[-1]
        assert 0 <= entry["load_seconds"] < seconds[-1]
        assert 0 <= entry["stall_seconds"] <= entry["wait_seconds"]
        # A minibatch pulls and pushes 6 rows of one weight with their ids.
        assert entry["server_bytes"] == entry["updates"] * 6 * 16
        assert entry["objective"] >= entry["train_loss"]
    assert history[0]["load_seconds"] > 0  # the one block was read once
    assert [entry["cache_hits"] for entry in history] == [0] + [1] * (model.n_iter_ - 1)
    # Cooled down, the model hardly moves in its last epoch: what was met is what it is.
    last = history[-1]
    assert last["train_loss"] == pytest.approx(
        log_losses(model.coef_, model.intercept_, X, y).mean(), rel=0.01
    )
    per_row = objective(model, X, y, 0.01) / (0.01 * len(y))
    assert last["objective"] == pytest.approx(per_row, rel=0.01)
    assert last["objective"] - last["train_loss"] == pytest.approx(
        (model.coef_**2).sum() / 2 / (0.01 * len(y)), rel=1e-4
    )
    assert model.cost_ == 0.0


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_easy_set_brings_no_warning(solver):
    X, y = make_blobs(300, centers=[[0, 0], [6, 6]], random_state=0)
    model = CirrusLogisticRegression(solver=solver, backend="inline", random_state=0).fit(X, y)
    assert model.score(X, y) == 1.0
    assert model.n_iter_ < model.max_iter


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_end_before_the_optimum_is_told(solver):
    """Noise of the minibatches hides that there is more to gain, and then the rate is zero."""
    X, y = make_classification(800, 200, n_informative=5, random_state=15)
    model = CirrusLogisticRegression(solver=solver, backend="inline", random_state=0)
    with pytest.warns(ConvergenceWarning, match="levelled off before the optimum") as caught:
        model.fit(X, y)
    assert model.n_iter_ < model.max_iter
    reached, lowest = (objective(m, X, y) for m in (model, optimum(X, y)))
    told = float(re.search(r"another (\d\.\d)% at least", str(caught[0].message))[1]) / 100
    assert 0.01 < told < (reached - lowest) / reached + 0.0005


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", ["cancer", "iris", "digits"])
def test_an_end_near_the_optimum_brings_no_warning(data, solver, request):
    X, y = request.getfixturevalue(data)
    model = CirrusLogisticRegression(solver=solver, backend="inline", random_state=0).fit(X, y)
    assert objective(model, X, y) < 1.01 * objective(optimum(X, y), X, y)


@pytest.mark.parametrize("solver", SOLVERS)
def test_too_few_epochs_are_told(cancer, solver):
    model = CirrusLogisticRegression(solver=solver, max_iter=3, backend="inline", random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3.*Increase max_iter") as caught:
        model.fit(*cancer)
    assert caught[0].filename == __file__
    assert model.n_iter_ == 3


def test_tol_none_runs_all_epochs_and_says_nothing(cancer):
    model = CirrusLogisticRegression(tol=None, max_iter=7, backend="inline").fit(*cancer)
    assert model.n_iter_ == 7


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_smaller_tol_and_more_patience_train_longer(noisy):
    def epochs(**parameters):
        model = CirrusLogisticRegression(backend="inline", random_state=0, **parameters)
        return model.fit(*noisy).n_iter_

    assert epochs(tol=1e-2) < epochs(tol=0, max_iter=300)
    assert epochs(tol=1e-2, n_iter_no_change=2) < epochs(tol=1e-2, n_iter_no_change=12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", ["inline", "local"])
def test_unscaled_data_is_learnt_or_told(raw_cancer, solver, backend):
    X, y = raw_cancer
    model = CirrusLogisticRegression(solver=solver, backend=backend, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    loss = log_loss(y, model.predict_proba(X))
    constant = log_loss(y, DummyClassifier(strategy="prior").fit(X, y).predict_proba(X))
    assert loss < constant or any(w.category is ConvergenceWarning for w in caught)
    assert loss < 0.2 * constant  # and it is in fact well learnt


@pytest.mark.parametrize("rate", [1e3, 1e6, 9e8])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", ["raw_cancer", "iris"])
def test_a_huge_learning_rate_is_told(data, solver, rate, request):
    X, y = request.getfixturevalue(data)
    constant = np.log(len(np.unique(y)))
    model = CirrusLogisticRegression(
        solver=solver, learning_rate=rate, backend="inline", random_state=0, max_iter=20
    )
    started = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
        except DivergenceError as error:
            assert "learning_rate" in str(error)
            assert not hasattr(model, "coef_")
            return
    assert time.monotonic() - started < 30
    assert [w for w in caught if w.category is not ConvergenceWarning] == []
    assert np.isfinite(model.coef_).all()
    losses = log_losses(model.coef_, model.intercept_, X, y)
    assert caught or losses.mean() < constant


@pytest.mark.parametrize("backend", ["inline", "local"])
def test_numbers_out_of_range_are_a_divergence(backend):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) * 1e29
    y = rng.integers(0, 2, 60)
    model = CirrusLogisticRegression(
        solver="sgd", learning_rate=9e8, backend=backend, C=np.inf, max_iter=30, random_state=0
    )
    with pytest.raises(DivergenceError, match="smaller learning_rate or scale the data"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
