"""Fold-in against numpy.linalg.solve."""

import numpy as np
import pytest
from scipy import sparse

from cirrus_runtime.fold_in import fold_in
from sklearn_cirrus._ratings import csr_of_ratings

from . import oracle

ALPHA, MEAN = 0.3, 2.5


def problem(k, n_users=30, n_items=700, density=0.1):
    """Return dense ratings with NaN, dense weights, components and biases of items."""
    rng = np.random.default_rng(k)
    X = rng.normal(3, 1, (n_users, n_items))
    X[rng.random(X.shape) > density] = np.nan
    X[0] = rng.normal(3, 1, n_items)  # more ratings than are gone through together
    X[1] = np.nan
    X[2] = np.nan
    X[2, 5] = 0.0
    weights = rng.uniform(0, 2, X.shape)
    weights[3] = 0.0
    return X, weights, rng.normal(size=(k, n_items)), rng.normal(size=n_items)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("k", [1, 3, 4, 7, 10, 33])
def test_users_are_solved_exactly(k, biased, weighted):
    X, weights, components, item_bias = problem(k)
    weights = weights if weighted else None
    matrix = csr_of_ratings(X)
    stored = weights[~np.isnan(X)] if weighted else None
    users = fold_in(matrix, stored, components, item_bias, MEAN, ALPHA, biased)
    expected = oracle.fold_in(X, components, item_bias, MEAN, ALPHA, biased, weights)
    np.testing.assert_allclose(users, expected, rtol=1e-9, atol=1e-10)
    assert users.shape == (30, k + biased) and users.dtype == np.float64
    assert not users[1].any() and (not weighted or not users[3].any())


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_kind_of_matrix(dtype, index):
    X, weights, components, item_bias = problem(5)
    X, weights = X.astype(dtype), weights.astype(dtype)
    matrix = csr_of_ratings(X)
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    users = fold_in(matrix, weights[~np.isnan(X)], components, item_bias, MEAN, ALPHA, True)
    expected = oracle.fold_in(X, components, item_bias, MEAN, ALPHA, True, weights.astype(float))
    np.testing.assert_allclose(users, expected, rtol=1e-6, atol=1e-8)


def test_a_tiny_penalty_has_a_solution():
    components = np.full((6, 4), 1e3)  # of rank one
    matrix = sparse.csr_array(np.full((1, 4), 5.0))
    users = fold_in(matrix, None, components, np.zeros(4), 0.0, 1e-12, False)
    assert np.allclose(users @ components, 5.0, rtol=1e-6)
    assert np.abs(users).max() < 1.0
