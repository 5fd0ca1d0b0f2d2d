"""Matrix factorization in plain NumPy, float64, one user at a time."""

import numpy as np


def fold_in(X, components, item_bias, mean, alpha, biased, weights=None):
    """Return the factors of users; X and weights are dense, NaN is no rating."""
    d = len(components) + biased
    users = np.zeros((len(X), d))
    for u, row in enumerate(X):
        rated = np.flatnonzero(~np.isnan(row))
        w = np.ones(len(rated)) if weights is None else weights[u, rated]
        if not w.any():
            continue
        A = np.hstack([components[:, rated].T, np.ones((len(rated), 1))])[:, :d]
        targets = row[rated] - mean - item_bias[rated]
        ridge = alpha * w.sum() * np.eye(d)
        users[u] = np.linalg.solve(A.T @ (w[:, None] * A) + ridge, A.T @ (w * targets))
    return users


def predict(users, components, item_bias, mean):
    """Return the ratings of all items by these users."""
    k = len(components)
    return mean + item_bias + users[:, k:].sum(axis=1, keepdims=True) + users[:, :k] @ components


def rmse(predicted, X):
    """Return the root mean squared error of the ratings in X, where NaN is none."""
    return np.sqrt(np.nanmean((predicted - X) ** 2))


def objective(X, components, item_bias, mean, alpha, biased, weights=None):
    """Return the objective per unit of weight, at the best users for these items."""
    users = fold_in(X, components, item_bias, mean, alpha, biased, weights)
    rated = ~np.isnan(X)
    w = rated.astype(float) if weights is None else np.where(rated, weights, 0.0)
    errors = np.where(rated, X - predict(users, components, item_bias, mean), 0.0)
    size = (users**2).sum(axis=1)[:, None] + (components**2).sum(axis=0) + item_bias**2
    return (w * (errors**2 + alpha * size)).sum() / w.sum()
