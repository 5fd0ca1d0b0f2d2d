"""The clicks that all sides of ``click_fit.py`` learn from and are judged on."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.metrics import log_loss

from sklearn_cirrus.datasets import make_clicks


@dataclass(frozen=True)
class Clicks:
    """Rows to train on and rows held out, of one ``make_clicks``.

    Attributes
    ----------
    X, X_held : csr_array of float32
    y, y_held : int64 arrays of 0 and 1
    constant_loss : float
        Held-out log loss of the training rows' share of clicks: what learning nothing gives.
    bayes_loss : float
        Held-out log loss of the true probabilities: what nobody beats.
    """

    X: csr_array
    y: np.ndarray
    X_held: csr_array
    y_held: np.ndarray
    constant_loss: float
    bayes_loss: float

    def loss(self, probabilities):
        """Held-out log loss of probabilities of a click, or of both classes."""
        return float(log_loss(self.y_held, probabilities))


def draw_clicks(n_train, n_held, n_features, seed):
    """Make the data."""
    X, y, p = make_clicks(
        n_train + n_held, n_features=n_features, random_state=seed, return_probabilities=True
    )
    held = slice(n_train, None)
    constant = np.full(n_held, y[:n_train].mean())
    return Clicks(
        X[:n_train], y[:n_train], X[held], y[held],
        float(log_loss(y[held], constant)), float(log_loss(y[held], p[held])),
    )  # fmt: skip
