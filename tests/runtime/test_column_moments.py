"""Moments of the columns of a block, against numpy's."""

import numpy as np
import pytest
from scipy import sparse

from cirrus_runtime.blocks import Block
from cirrus_runtime.full_batch import FullBatchKernel


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("products", [False, True])
def test_moments(products, weighted, intercept):
    rng = np.random.default_rng(0)
    X = sparse.random(3000, 9, 0.4, format="csr", random_state=0)
    X.data = rng.normal(1e3, [1.0], X.nnz)
    X = sparse.csr_array(X[:, [0, 1, 2, 4, 5, 6, 7, 8]])
    X = sparse.hstack([X, sparse.csr_array((3000, 1))], format="csr")  # a column of no entry
    weights = rng.random(3000) if weighted else None
    labels = np.zeros(3000, np.float32)
    block = Block(
        X.indptr.astype(np.uint32), X.indices.astype(np.uint32), X.data, labels, weights, 9
    )
    kernel = FullBatchKernel(9, 1, intercept)
    block = kernel.accept(block, "a block")
    found = kernel.moments(block, products)
    columns = block.ids < 9
    ids, dense = block.ids[columns], X.toarray()
    assert sorted(ids) == list(range(8)) and (~columns).sum() == intercept
    mean = np.average(dense, axis=0, weights=weights)
    apart = dense - mean
    table = (apart.T * (1.0 if weights is None else weights)) @ apart
    np.testing.assert_allclose(found[columns, 0], mean[ids], rtol=1e-12)
    if products:
        np.testing.assert_allclose(
            found[columns][:, 1:][:, columns], table[np.ix_(ids, ids)], rtol=1e-9, atol=1e-3
        )
    else:
        np.testing.assert_allclose(found[columns, 1], table[ids, ids], rtol=1e-9)
    assert not found[~columns].any()
