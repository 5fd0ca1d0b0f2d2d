"""Linear models on whole blocks: margins, and what classes they speak for."""

import numpy as np

from .blocks import Block
from .errors import BlockError


def margins_of(block, coef, intercept, name):
    """Return the margins of a block's rows.

    Parameters
    ----------
    block : Block
    coef : float64 array of shape (width, n_features)
    intercept : float64 array of shape (width,)
    name : str
        What errors call the block.

    Returns
    -------
    float64 array of shape (n_rows, width)

    Raises
    ------
    BlockError
        If it has other columns.
    """
    width, d = coef.shape
    if not isinstance(block, Block) or block.n_features != d:
        raise BlockError(f"{name} does not have the {d} columns of the model")
    rows = np.repeat(np.arange(block.n_rows), np.diff(block.indptr))
    margins = np.empty((block.n_rows, width))
    for i, of_class in enumerate(coef):
        parts = of_class[block.indices]
        if block.data is not None:
            parts *= block.data
        margins[:, i] = np.bincount(rows, parts, minlength=block.n_rows)
    return margins + intercept


def probabilities_of(margins):
    """Return the probability of every class: of two, if there is one margin for each row."""
    if margins.shape[1] == 1:
        margins = np.hstack([np.zeros_like(margins), margins])
    shares = np.exp(margins - margins.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
