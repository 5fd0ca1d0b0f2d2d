"""Whatever form the ratings have, the model is the same."""

import numpy as np
import pandas
import polars
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.model_selection import Ratings


def fit(X, **arguments):
    """Train a few epochs: enough to tell data apart."""
    mf = CirrusMatrixFactorization(2, max_iter=4, backend="inline", random_state=0)
    return mf.fit(X, **arguments)


def stored(X):
    """The ratings that are not NaN as a COO array, in random order; zeros are stored."""
    users, items = np.nonzero(~np.isnan(X))
    order = np.random.default_rng(0).permutation(len(users))
    users, items = users[order], items[order]
    return sparse.coo_array((X[users, items], (users, items)), X.shape)


def unsorted(X):
    """A CSR array whose rows are stored backwards."""
    X = sparse.csr_array(stored(X))
    ends = zip(X.indptr, X.indptr[1:], strict=False)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in ends])
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), X.shape)


def wide_indices(X):
    X = sparse.csr_array(stored(X))
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def strided(X):
    """A CSR array whose arrays are views of every second number."""
    X = sparse.csr_array(stored(X))
    X.data, X.indices = np.repeat(X.data, 2)[::2], np.repeat(X.indices, 2)[::2]
    return X


def read_only(X):
    X = sparse.csr_array(stored(X))
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


def nullable(X):
    return pandas.DataFrame(X).astype("Float64")


FORMS = {
    "dense": lambda X: X,
    "lists": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
    "objects": lambda X: np.where(np.isnan(X), None, X),
    "big-endian": lambda X: X.astype(">f8"),
    "float32": lambda X: X.astype(np.float32),
    "pandas": pandas.DataFrame,
    "pandas nullable": nullable,
    "polars": polars.DataFrame,
    "unsorted": unsorted,
    "int64 indices": wide_indices,
    "strided": strided,
    "read-only": read_only,
    "sparse float32": lambda X: sparse.csr_array(stored(X)).astype(np.float32),
    "Ratings": Ratings,
    "Ratings of a matrix": lambda X: Ratings(stored(X))[::-1],
} | {
    f"{kind}_{form}": lambda X, name=f"{kind}_{form}": getattr(sparse, name)(stored(X))
    for kind in ("csr", "csc", "coo", "lil")
    for form in ("array", "matrix")
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("form", FORMS)
def test_forms(ratings, form):
    X = FORMS[form](ratings)
    before = X.copy() if sparse.issparse(X) else None
    expected, model = fit(ratings), fit(X)
    # Means of float32 are taken in float64.
    np.testing.assert_allclose(model.components_, expected.components_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.transform(X), expected.transform(ratings), atol=1e-5)
    assert model.score(X) == pytest.approx(expected.score(ratings), rel=1e-5)
    assert model.n_features_in_ == 40
    if before is not None:
        assert (X != before).nnz == 0 and X.nnz == before.nnz


def test_integers_are_ratings():
    X = np.random.default_rng(0).integers(1, 6, (20, 10))
    assert np.array_equal(fit(X).components_, fit(X.astype(float)).components_)
    assert fit(X).components_.dtype == np.float64


def test_explicit_zeros_are_ratings(ratings):
    X = sparse.csr_array(stored(np.where(ratings < 3, 0.0, ratings)))
    assert (X.data == 0).any()
    model = fit(X)
    X.eliminate_zeros()
    assert not np.allclose(model.components_, fit(X).components_, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2)])
@pytest.mark.parametrize("solver", ["adagrad", "ftrl", "als"])
def test_small_matrices(shape, solver):
    X = np.arange(np.prod(shape), dtype=float).reshape(shape)
    mf = CirrusMatrixFactorization(solver=solver, alpha=1e-3, backend="inline", random_state=0)
    mf.fit(X)
    assert np.isfinite(mf.components_).all() and mf.user_factors_.shape == (shape[0], 11)
    assert -mf.score(X) <= X.std() + 1e-6


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((3, 4), np.nan), "X has no rating"),
        (sparse.csr_array((3, 4)), "X has no rating"),
        (np.array([[1.0, np.inf]]), "infinity"),
        (sparse.csr_array(([np.nan], [0], [0, 1]), (1, 2)), "what is missing is not stored"),
        (sparse.csr_array(([-np.inf], [0], [0, 1]), (1, 2)), "infinity"),
        (sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), (1, 2)), "more than one value"),
        (sparse.csr_array(([1.0, 2.0], [1, 1], [0, 2]), (1, 2)), "more than one value"),
        (np.ones(4), "Expected 2D array"),
        (np.ones((2, 2, 2)), "dim 3"),
        (np.empty((0, 4)), "0 sample"),
        (np.empty((4, 0)), "0 feature"),
        (np.array([["good", "bad"]]), "could not convert"),
        (np.array([[1j]]), "Complex"),
    ],
)
def test_bad_ratings_are_refused_with_the_reason(bad, message):
    mf = CirrusMatrixFactorization(backend="inline")
    with pytest.raises(ValueError, match=message):
        mf.fit(bad)
    assert not hasattr(mf, "components_")


def test_indices_out_of_range_are_refused():
    broken = sparse.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), (2, 2))
    broken.indices[1] = 7
    with pytest.raises(ValueError, match="indices"):
        CirrusMatrixFactorization(backend="inline").fit(broken)


def test_other_items_are_refused(fitted):
    for X in (np.ones((2, 39)), sparse.csr_array((2, 39)), Ratings(np.ones((2, 39)))):
        for method in (fitted.transform, fitted.score):
            with pytest.raises(ValueError, match="X has 39 features, but CirrusMatrixFactorizat"):
                method(X)
