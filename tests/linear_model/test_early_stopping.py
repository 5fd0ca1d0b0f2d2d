"""Held-out rows: their loss, when they stop training, which epoch is kept."""

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._logistic_parameters import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def overfitted():
    """60 columns, 200 rows, few of which mean anything: without a penalty training overfits."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 60))
    return X, (X[:, 0] + X[:, 1] + 2 * rng.logistic(size=200) > 0).astype(int)


def fit(X, y, **parameters):
    """Hold out a third."""
    parameters = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "C": np.inf,
        "random_state": 0,
        "backend": "inline",
    } | parameters
    return CirrusLogisticRegression(**parameters).fit(X, y)


def held_out(model, X, y):
    """Return the rows that the fit held out, by scikit-learn's own splitter."""
    seed = int(np.random.RandomState(model.random_state).randint(2**31 - 1))
    rows = np.random.default_rng(seed).permutation(len(y))
    _, valid = train_test_split(
        rows, test_size=model.validation_fraction, random_state=seed, stratify=y[rows]
    )
    return X[valid], y[valid]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", ["inline", "local"])
def test_the_best_epoch_is_kept(overfitted, solver, backend):
    X, y = overfitted
    model = fit(X, y, solver=solver, backend=backend)
    losses = [entry["valid_loss"] for entry in model.history_]
    assert min(losses) < losses[-1] - 0.02  # it has overfitted, and that would show
    X_valid, y_valid = held_out(model, X, y)
    assert log_loss(y_valid, model.predict_proba(X_valid)) == pytest.approx(min(losses), rel=1e-4)


def test_multinomial_valid_loss(digits):
    X, y = digits
    model = fit(X, y, C=1.0, max_iter=10, validation_fraction=0.25)
    X_valid, y_valid = held_out(model, X, y)
    best = min(entry["valid_loss"] for entry in model.history_)
    assert log_loss(y_valid, model.predict_proba(X_valid)) == pytest.approx(best, rel=1e-4)
    assert {entry["rows"] for entry in model.history_} == {len(y) - len(y_valid)}


def test_valid_loss_is_weighted_like_the_rows(overfitted):
    X, y = overfitted
    model = fit(X, y, class_weight={0: 1.0, 1: 5.0})
    X_valid, y_valid = held_out(model, X, y)
    expected = log_loss(
        y_valid, model.predict_proba(X_valid), sample_weight=np.where(y_valid == 1, 5.0, 1.0)
    )
    best = min(entry["valid_loss"] for entry in model.history_)
    assert best == pytest.approx(expected, rel=1e-4)


def test_it_stops_when_held_out_rows_say_so(overfitted):
    X, y = overfitted
    early, late = fit(X, y, n_iter_no_change=2), fit(X, y, n_iter_no_change=20)
    assert early.n_iter_ < late.n_iter_
    assert early.n_iter_ < early.max_iter


def test_the_share_is_live_and_stratified():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(1000, 3))
    y = (np.arange(1000) % 50 == 0).astype(int)  # 20 of the rarer class
    for share in (0.1, 0.5):
        model = fit(X, y, validation_fraction=share, max_iter=2)
        assert {entry["rows"] for entry in model.history_} == {1000 - round(1000 * share)}
        assert held_out(model, X, y)[1].sum() == 20 * share


def test_without_it_nothing_is_held_out(overfitted):
    X, y = overfitted
    model = fit(X, y, early_stopping=False, validation_fraction=0.9, max_iter=3)
    assert all("valid_loss" not in entry and entry["rows"] == 200 for entry in model.history_)


def test_too_few_rows_to_hold_out_are_refused():
    with pytest.raises(ValueError, match="class|test_size"):
        fit(np.arange(4.0)[:, np.newaxis], [0, 0, 0, 1])


def test_held_out_rows_in_several_blocks(many_blocks):
    from sklearn_cirrus import config_context

    X, y = many_blocks
    with config_context(block_bytes=100_000):
        model = fit(X, y, C=1.0, max_iter=3, backend="local", n_workers=2)
    X_valid, y_valid = held_out(model, X, y)
    best = min(entry["valid_loss"] for entry in model.history_)
    assert log_loss(y_valid, model.predict_proba(X_valid)) == pytest.approx(best, rel=1e-4)
