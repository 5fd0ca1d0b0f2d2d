"""Random blocks, and logistic regression by definition: dense, in float64."""

import numpy as np

from cirrus_runtime.blocks import Block


def random_block(random, n_rows, n_features, width, *, ones=False, weights=False, longest=8):
    """Return a block whose rows have 0 to ``longest`` entries; a column may come twice in a row."""
    lengths = random.integers(0, longest + 1, n_rows)
    lengths[:2] = 0, longest
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint32)
    n_entries = indptr[-1]
    return Block(
        indptr=indptr,
        indices=random.integers(0, n_features, n_entries).astype(np.uint32),
        data=None if ones else random.standard_normal(n_entries).astype(np.float32),
        labels=random.integers(0, max(width, 2), n_rows).astype(np.float32),
        weights=random.exponential(size=n_rows).astype(np.float32) if weights else None,
        n_features=n_features,
    )


def to_dense(block):
    """Return the rows of a block as a float64 array."""
    rows = np.repeat(np.arange(block.n_rows), np.diff(block.indptr.astype(np.int64)))
    values = 1.0 if block.data is None else block.data.astype(np.float64)
    X = np.zeros((block.n_rows, block.n_features))
    np.add.at(X, (rows, block.indices), values)
    return X


def losses_and_gradient(block, rows, model):
    """Return the weighted losses of some rows, and the gradient of their sum.

    ``model`` has a row more than the data has columns if there is an intercept.
    """
    X = to_dense(block)[rows]
    if len(model) > X.shape[1]:
        X = np.column_stack([X, np.ones(len(X))])
    weights = np.ones(len(X)) if block.weights is None else block.weights[rows].astype(np.float64)
    labels = block.labels[rows].astype(np.int64)
    scores = X @ model.astype(np.float64)
    if model.shape[1] == 1:  # the binary model is the multinomial one with class 0 at zero
        scores = np.column_stack([np.zeros(len(X)), scores])
    scores = scores - scores.max(axis=1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    slopes = np.exp(log_p)
    slopes[np.arange(len(X)), labels] -= 1
    gradient = X.T @ (weights[:, None] * slopes)
    losses = -weights * log_p[np.arange(len(X)), labels]
    return losses, gradient[:, -model.shape[1] :]
