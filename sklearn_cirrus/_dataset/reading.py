"""Rows of a dataset as arrays of this process."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from cirrus_runtime.dataset_objects import get_labels
from cirrus_runtime.store import open_store
from cirrus_runtime.views import read_view

_READERS = 8  # of labels, at the same time


def read_head(data):
    """Return the rows of a small dataset; see ``Dataset.head``."""
    blocks, places = _read(data)
    if not data.is_table:
        return as_csr(blocks, data.shape[1], data.dtype)[places]
    columns = {}
    for i, (name, kind) in enumerate(data.dtypes.items()):
        cells = [block.columns[i] for block in blocks]
        if kind == "text":
            cells = [np.array(cell.tolist(), object) for cell in cells]
        columns[name] = np.concatenate(cells)[places] if cells else np.empty(0)
    try:
        import pandas
    except ImportError:
        return columns
    return pandas.DataFrame(columns)


def read_arrays(data, max_bytes):
    """Return the rows and labels of a dataset; see ``Dataset.to_arrays``."""
    nbytes = sum(nbytes * share for nbytes, share in _sizes(data))
    if nbytes > max_bytes:
        raise ValueError(
            f"{data!r} takes about {nbytes / 1e6:,.0f} MB, more than max_bytes={max_bytes}: fit "
            "an estimator of sklearn_cirrus on the dataset itself, or raise max_bytes"
        )
    blocks, places = _read(data)
    X = _as_dense(data, blocks) if data.is_table else as_csr(blocks, data.shape[1], data.dtype)
    if data.classes is None:
        return X[places], None
    labels = [block.labels for block in blocks]
    labels = np.concatenate([np.empty(0), *labels]).astype(np.int64)
    return X[places], data.classes[labels[places]]


def read_label_indices(data):
    """Return the class index of each row of a dataset with labels, int32."""
    maps, used = data.view()["labels"], data.blocks()
    # Of all rows of the blocks: to look up those that are wanted is quicker than to sort them.
    indices = np.empty(data.manifest.n_rows, np.int32)
    with open_store(data.url) as store, ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda name: get_labels(store, name), used)
        start = 0
        for block in data.manifest.blocks:
            name, end = block["name"], start + block["n_rows"]
            if name in used:
                labels = next(found).astype(np.int32)
                becomes = maps.get(name)
                indices[start:end] = labels if becomes is None else np.array(becomes)[labels]
            start = end
    return indices if data.picks is None else indices[data.picks]


def _read(data):
    """Return the blocks of a dataset, and where in them its rows lie, in its own order."""
    order = data.picks
    whole = data if order is None else data.with_rows(np.unique(order))
    view = whole.view()
    blocks = [read_view(view, name) for name in whole.blocks()]
    return blocks, slice(None) if order is None else np.searchsorted(whole.picks, order)


def _sizes(data):
    """Yield the bytes of each block that is used, and the share of its rows that is."""
    rows = data.blocks()
    for block in data.manifest.blocks:
        if block["name"] in rows:
            yield block["nbytes"], rows[block["name"]] / block["n_rows"]


def _as_dense(data, blocks):
    """Return the columns of tables as one array."""
    texts = [name for name, kind in data.dtypes.items() if kind == "text"]
    if texts:
        raise ValueError(
            f"the columns {', '.join(texts[:5])} hold text, which no array of numbers does: hash "
            "them with CirrusFeatureHasher, or look at head()"
        )
    parts = [np.stack(block.columns, axis=1) for block in blocks]
    return np.concatenate([np.empty((0, data.shape[1]), data.dtype), *parts])


def as_csr(blocks, n_features, dtype):
    """Return the rows of blocks as one csr_array."""
    parts = [sparse.csr_array((0, n_features), dtype=dtype)]
    for block in blocks:
        data = np.ones(len(block.indices), dtype) if block.data is None else block.data
        shape = block.n_rows, n_features
        parts.append(sparse.csr_array((data, block.indices, block.indptr), shape=shape))
    return sparse.vstack(parts, format="csr")
