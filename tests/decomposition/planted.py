"""Ratings of planted factors, fits without the estimator, and the objective by definition."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse

from cirrus_runtime.blocks import Block
from sklearn_cirrus import get_config
from sklearn_cirrus._factorization_fit import FactorizationFit

from ..runtime.factorization_oracle import Ratings

ALPHA = 0.1
N_USERS, N_ITEMS, RANK = 250, 80, 3
DEFAULTS = {
    "n_components": RANK, "alpha": ALPHA, "biased": True, "solver": "adagrad",
    "learning_rate": "auto", "batch_size": "auto", "max_iter": 10, "tol": 1e-4,
    "early_stopping": False, "validation_fraction": 0.1, "n_iter_no_change": 5,
    "warm_start": False, "random_state": 0, "n_workers": None, "backend": None, "verbose": 0,
}  # fmt: skip


class Parameters(SimpleNamespace):
    """What a fit asks of an estimator."""

    def get_params(self, deep=True):
        return dict(vars(self))


def planted(n_users=N_USERS, n_items=N_ITEMS, seed=0):
    """Return a CSR matrix of ratings about 3.5, some of users with very many."""
    random = np.random.default_rng(seed)
    counts = np.minimum(5 + (8 * random.pareto(1.2, n_users)).astype(int), n_items // 2)
    users = np.repeat(np.arange(n_users), counts)
    popular = 1 / (5 + np.arange(n_items))
    items = np.concatenate(
        [random.choice(n_items, c, replace=False, p=popular / popular.sum()) for c in counts]
    )
    p, q = random.normal(0, 0.7, (n_users, RANK)), random.normal(0, 0.7, (n_items, RANK))
    biases = 0.4 * random.normal(size=n_users)[users] + 0.4 * random.normal(size=n_items)[items]
    ratings = 3.5 + biases + (p[users] * q[items]).sum(1) + 0.5 * random.normal(size=len(users))
    X = sparse.csr_array((ratings.astype(np.float32), (users, items)), shape=(n_users, n_items))
    X.sort_indices()
    return X


def factorize(X, weights=None, start=None, settings=None, mean=None, **parameters):
    """Return the outcome of a fit."""
    parameters = Parameters(**DEFAULTS | parameters)
    config = get_config(**{"backend": "inline"} | (settings or {}))
    if mean is None:
        mean = float(X.data.mean(dtype=np.float64)) if parameters.biased else 0.0
    return FactorizationFit(parameters, config, X, weights, mean).run(start)


def definition(X, weights=None, alpha=ALPHA, biased=True):
    """Return the oracle of the objective of ratings."""
    block = Block(
        indptr=X.indptr.astype(np.uint32),
        indices=X.indices.astype(np.uint32),
        data=X.data,
        labels=None,
        weights=None,
        n_features=X.shape[1],
        entry_weights=weights,
    )
    mean = float(X.data.mean(dtype=np.float64)) if biased else 0.0
    return Ratings(block, alpha, mean, biased)


def objective(X, items, **more):
    """Return the objective at items, the users being solved for."""
    errors, penalty, total = definition(X, **more).sums(range(X.shape[0]), items)
    return (errors + penalty) / total


def least_objective(X, biased=True, rank=RANK, sweeps=40):
    """Return the objective after alternating least squares in float64."""
    Xt = sparse.csr_array(X.T)
    sides = definition(X, biased=biased), definition(Xt, biased=biased)
    width = rank + biased
    items = np.random.default_rng(1).normal(0, 0.3, (X.shape[1], width))
    for _ in range(sweeps):
        users = np.array([sides[0].solve(user, items) for user in range(X.shape[0])])
        items = np.array([sides[1].solve(item, users) for item in range(X.shape[1])])
    return objective(X, items, biased=biased)
