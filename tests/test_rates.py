"""The automatic rates: which rule they belong to, and what they are worth on wide sparse data."""

import pytest
from sklearn.metrics import log_loss

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus._columns import Columns
from sklearn_cirrus._rates import choose_rates
from sklearn_cirrus.datasets import make_clicks


@pytest.fixture(scope="module")
def clicks():
    X, y = make_clicks(24_000, n_features=2**16, random_state=5)
    return X[:20_000], y[:20_000], X[20_000:], y[20_000:]


def rates(learning_rate, X, batch_size=1000, streaming=False):
    columns = Columns.of(X, False)
    return choose_rates("adagrad", learning_rate, X, columns, batch_size, 0, streaming)


def test_wide_data_gets_a_faster_falling_rate(clicks):
    assert rates("auto", clicks[0]).power_t == 0.75
    dense = clicks[0][:200, :50].toarray()
    assert rates("auto", dense).power_t == 0.5


def test_a_number_is_the_rate_of_the_published_rule(clicks):
    chosen = rates(0.25, clicks[0])
    assert (chosen.rate, chosen.power_t, chosen.squares) == (0.25, 0.5, 0.0)


@pytest.mark.parametrize("batch_size", [20, 1000])
def test_one_row_moves_a_fresh_column_alike_in_minibatches_of_any_size(clicks, batch_size):
    chosen = rates("auto", clicks[0], batch_size)
    g = 1 / batch_size  # of a row with a gradient of one
    step = chosen.rate * g / (chosen.squares + g * g) ** chosen.power_t
    assert step == pytest.approx(0.45 / 51**0.75, rel=1e-6)


def test_clicks_are_learnt_better_than_by_plain_adagrad(clicks):
    X, y, X_held, y_held = clicks

    def held_out_loss(**parameters):
        model = CirrusLogisticRegression(
            max_iter=2, tol=None, random_state=0, backend="inline", batch_size=200, **parameters
        ).fit(X, y)
        return log_loss(y_held, model.predict_proba(X_held))

    plain = min(held_out_loss(learning_rate=rate) for rate in (0.03, 0.1, 0.3))
    assert held_out_loss() < plain
