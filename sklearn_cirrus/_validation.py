"""Validation of arrays beyond what scikit-learn's own functions do."""

import numpy as np
from sklearn.utils import check_array


def check_weights(sample_weight, X):
    """Return row weights as float64, or None where there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
    X : array or sparse matrix of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If a weight is negative or not finite, the shape is wrong, or all weights are zero.
    """
    if sample_weight is None:
        return None
    if np.isscalar(sample_weight):
        sample_weight = np.full(X.shape[0], sample_weight, np.float64)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weights.shape[0] != X.shape[0]:
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(X.shape[0],)}: one for each row"
        )
    if weights.min(initial=0.0) < 0:
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
