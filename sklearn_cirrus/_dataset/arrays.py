"""Arrays and frames of this process as blocks of a dataset."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from cirrus_runtime.blocks import Block
from cirrus_runtime.dataset_objects import MANIFEST, block_name, put_block
from cirrus_runtime.loading import MOST_CLASSES
from cirrus_runtime.tables import TableBlock, Text

from .manifest import Manifest


def put_arrays(place, X, y, dtype, block_bytes, overwrite):
    """Write arrays as a dataset; see ``Dataset.from_arrays``. Return its Manifest."""
    is_frame = hasattr(X, "iloc") and hasattr(X, "columns")
    names = [str(name) for name in X.columns] if is_frame else None
    if not is_frame:
        X = check_array(X, accept_sparse="csr", dtype=dtype, ensure_all_finite="allow-nan")
    check_consistent_length(X, y)
    n, n_columns = X.shape
    if not n:
        raise ValueError("X has no row")
    if names is not None and len(set(names)) != len(names):
        raise ValueError(f"names of columns must be distinct: {names[:20]}")
    classes = labels = None
    if y is not None:
        classes, labels = encode_labels(y, "y")
    entries = X.nnz * 8 / n if sparse.issparse(X) else n_columns * 8
    step = max(1, int(block_bytes / (entries + 12)))

    def blocks():
        for first in range(0, n, step):
            rows = slice(first, min(first + step, n))
            more = None if labels is None else labels[rows]
            part = X.iloc[rows] if is_frame else X[rows]
            yield _block(part, names, dtype, more)

    return put_blocks(place, blocks(), names, n_columns, dtype, classes, None, overwrite)


def encode_labels(values, name):
    """Return the distinct labels, sorted, and the index of each, float32.

    Parameters
    ----------
    values : array-like of shape (n,)
    name : str
        What errors call them.

    Raises
    ------
    ValueError
        If they are no classes.
    """
    values = column_or_1d(values)
    missing = [value is None or value != value for value in values.tolist()]
    if any(missing):
        raise ValueError(f"{name} has a missing value in row {missing.index(True)}")
    try:
        classes, labels = np.unique(values, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"{name} holds values of several kinds: {error}") from error
    known = classes.tolist()
    if not all(isinstance(value, bool | int | float | str) for value in known):
        raise ValueError(f"{name} must hold numbers, texts or truth values, not {known[0]!r}")
    if len(known) > MOST_CLASSES:
        raise ValueError(
            f"{name} has {len(known)} distinct values, more than the {MOST_CLASSES} that classes "
            "may have"
        )
    return known, labels.astype(np.float32)


def put_blocks(place, blocks, names, n_features, dtype, classes, label, overwrite):
    """Write blocks and their manifest; return it."""
    place.clear(overwrite)
    told, kind, types = [], "rows", None
    for number, block in enumerate(blocks):
        if isinstance(block, TableBlock):
            new = ["text" if isinstance(c, Text) else "number" for c in block.columns]
            if types not in (None, new):
                column = next(i for i, kinds in enumerate(zip(types, new, strict=True)) if
                              kinds[0] != kinds[1])  # fmt: skip
                raise ValueError(
                    f"column {block.names[column]!r} holds numbers in one part and text in another"
                )
            kind, types = "table", new
        told.append(put_block(place.store, block_name(number), block, classes))
    if not told:
        raise ValueError("there is no row")
    made = Manifest(kind, names, types, n_features, dtype, label, classes, told)
    place.store.put(MANIFEST, made.encode())
    return made


def _block(X, names, dtype, labels):
    """Return some rows as a block."""
    if sparse.issparse(X):
        if not np.isfinite(X.data).all():
            raise ValueError("X is sparse and has values that are not finite numbers")
        arrays = X.indptr.astype(np.uint32), X.indices.astype(np.uint32), X.data
        return Block(*arrays, labels, None, X.shape[1])
    if names is None:
        columns = tuple(np.ascontiguousarray(X.T))
        return TableBlock(tuple(f"x{i}" for i in range(len(columns))), columns, labels)
    table = as_table(X, dtype)
    return TableBlock(table.names, table.columns, labels)


def as_table(frame, dtype):
    """Return a DataFrame as a TableBlock: of numbers and truth values numbers, of the rest text."""
    columns = tuple(_column(frame.iloc[:, i], dtype) for i in range(frame.shape[1]))
    return TableBlock(tuple(map(str, frame.columns)), columns)


def _column(series, dtype):
    """Return a column of a frame."""
    if series.dtype.kind in "fiub":
        return series.to_numpy(dtype=dtype, na_value=np.nan)
    pairs = zip(series, series.isna(), strict=True)
    return Text.of([None if missing else str(value) for value, missing in pairs])
