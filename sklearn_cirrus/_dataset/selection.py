"""Which rows of a dataset: from an index to rows of blocks, and what workers are told of them."""

import numpy as np

from cirrus_runtime.views import pack_rows


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
        whole = len(key) == 2 and (key[1] is Ellipsis or isinstance(key[1], slice))
        if not whole or key[1] not in (Ellipsis, slice(None)):
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
    if key.size and key.min() < 0:
        key = np.where(key < 0, key + n, key)
    return _of(rows, key)


def _of(rows, places):
    """Return the numbers of the rows at some places."""
    return places if rows is None else rows[places]


def blocks_of(data):
    """Yield what the manifest says of each block that a dataset uses, and its rows that are used.

    These are in rising order, each as often as it was asked for; None: all rows.
    """
    found = data.manifest.blocks
    if data.picks is None:
        for block in found:
            yield block, None
        return
    rows = data.sorted_picks
    starts = np.cumsum([0, *(block["n_rows"] for block in found)])
    bounds = np.searchsorted(rows, starts)
    for i, block in enumerate(found):
        inside = rows[bounds[i] : bounds[i + 1]] - starts[i]
        if inside.size:
            yield block, inside


def in_order(data, rows):
    """Return what blocks gave for the rows of a dataset, an array of them, in its own order."""
    if data.picks is None:
        return rows
    back = np.empty(len(data), np.int64)  # blocks gave their rows in rising order
    back[np.argsort(data.picks, kind="stable")] = np.arange(len(data))
    return rows[back]


def view_of(data):
    """Return the view of a dataset: see ``views.py`` of the runtime."""
    manifest = data.manifest
    place = {value: i for i, value in enumerate(manifest.classes or ())}
    labels, rows, digests = {}, {}, {}
    for block, inside in blocks_of(data):
        name, classes = block["name"], block["classes"]
        digests[name] = block["digest"]
        if classes is not None and classes != manifest.classes:
            labels[name] = [place[value] for value in classes]
        packed = None if inside is None else pack_rows(inside, block["n_rows"])
        if packed not in (None, [0, block["n_rows"]]):  # all of them
            rows[name] = packed
    return {
        "url": data.url,
        "kind": manifest.kind,
        "n_features": manifest.n_features,
        "digests": digests,
        "labels": labels,
        "rows": rows,
        "steps": list(data.steps),
    }
