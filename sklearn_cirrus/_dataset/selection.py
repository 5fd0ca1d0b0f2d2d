"""Which rows an index of a dataset means."""

import numpy as np


def select_rows(key, n, rows):
    """Return the row numbers that an index means, int64.

    Parameters
    ----------
    key : int array, bool array, slice, or one of these and an ellipsis (as scikit-learn asks)
    n : int
        Rows there are.
    rows : int64 array of shape (n,) or None
        Their numbers, if the dataset is a part of another.

    Raises
    ------
    IndexError
        If the index is of another kind, or beyond the rows.
    """
    if isinstance(key, tuple):
        if len(key) != 2 or key[1] not in (Ellipsis, slice(None)):
            raise IndexError("a Dataset is indexed by rows alone: data[rows]")
        key = key[0]
    if isinstance(key, slice):
        return _of(rows, np.arange(n, dtype=np.int64)[key])
    key = np.asarray(key)
    if key.ndim != 1 or (key.size and key.dtype.kind not in "biu"):
        raise IndexError(
            "a Dataset is indexed by an array of row numbers, a mask or a slice, not by "
            f"{key.dtype} of shape {key.shape}"
        )
    if key.dtype == bool:
        if key.size != n:
            raise IndexError(f"a mask of {key.size} for {n} rows")
        return _of(rows, np.flatnonzero(key))
    key = key.astype(np.int64)
    if key.size and not (-n <= key.min() and key.max() < n):
        raise IndexError(f"row {key[np.argmax(np.abs(key))]} of {n}")
    return _of(rows, np.where(key < 0, key + n, key))


def _of(rows, places):
    """Return the numbers of the rows at some places."""
    return places if rows is None else rows[places]
