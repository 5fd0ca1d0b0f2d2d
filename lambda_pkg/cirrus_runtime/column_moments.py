"""Weighted moments of the columns of a block, for the variables of the exact solver.

The body of a report, as of ``full_batch.py``: ids, then for each a row of float64. Its first value
is the column's mean over the block. Of a lease of kind ``"moments"`` the second is the sum of the
squares about it; of kind ``"products"`` all others are the sums of the products with every column
of the block, both about their means. The intercept is no column: its row is zeros.
"""

import numpy as np

_CELLS = 1 << 20  # of rows with every column, made together


def moments_of_block(block, local, weights, n_ids, products):
    """Return the moments of the columns of a block.

    Parameters
    ----------
    block : Block
    local : uint32 array of shape (n_entries,)
        For each entry the place of its column among those of the block.
    weights : float64 array of shape (n_rows,) or None
    n_ids : int
    products : bool
        Whether to sum the products of columns, not their squares alone.

    Returns
    -------
    float64 array of shape (n_ids, 1 + n_ids) or (n_ids, 2)
    """
    found = np.zeros((n_ids, 1 + n_ids if products else 2))
    total = float(block.n_rows if weights is None else weights.sum())
    if not (total and n_ids):
        return found
    lengths = np.diff(block.indptr.astype(np.int64))
    values = np.ones(len(local)) if block.data is None else block.data.astype(np.float64)
    shares = None if weights is None else np.repeat(weights, lengths)
    weighted = values if shares is None else values * shares
    mean = found[:, 0] = np.bincount(local, weighted, n_ids) / total
    if products:
        _add_products(block, local, values, weights, mean, found[:, 1:])
        return found
    squares = (values - mean[local]) ** 2
    if shares is not None:
        squares *= shares
    stored = np.bincount(local, shares, n_ids)
    found[:, 1] = np.bincount(local, squares, n_ids) + np.maximum(total - stored, 0) * mean**2
    return found


def _add_products(block, local, values, weights, mean, table):
    """Add the products of the columns about their means to a table."""
    indptr, d = block.indptr.astype(np.int64), len(mean)
    step = max(1, _CELLS // max(1, d))
    for first in range(0, block.n_rows, step):
        last = min(first + step, block.n_rows)
        entries = slice(indptr[first], indptr[last])
        rows = np.repeat(np.arange(last - first), np.diff(indptr[first : last + 1]))
        cells = rows * d + local[entries]
        apart = np.bincount(cells, values[entries], (last - first) * d).reshape(-1, d) - mean
        share = apart if weights is None else apart * weights[first:last, None]
        table += apart.T @ share
