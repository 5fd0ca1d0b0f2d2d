"""Arrays, frames and Parquet files of this process as blocks of a dataset."""

import hashlib
from urllib.parse import unquote, urlsplit

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length

from cirrus_runtime.blocks import Block, encode_block
from cirrus_runtime.loading import MOST_CLASSES, labels_name
from cirrus_runtime.store import open_store
from cirrus_runtime.tables import TableBlock, Text, encode_table
from cirrus_runtime.tensors import encode_tensors

from ..exceptions import StoreError
from .manifest import NAME, Manifest


def put_arrays(url, X, y, dtype, block_bytes, overwrite):
    """Write arrays as a dataset; see ``Dataset.from_arrays``. Return its Manifest."""
    frame = X if hasattr(X, "iloc") and hasattr(X, "columns") else None
    if frame is None:
        X = check_array(X, accept_sparse="csr", dtype=dtype, ensure_all_finite="allow-nan")
    n = X.shape[0]
    check_consistent_length(X, y)
    classes = labels = None
    if y is not None:
        classes, labels = np.unique(np.asarray(y), return_inverse=True)
        if len(classes) > MOST_CLASSES:
            raise ValueError(f"y has {len(classes)} distinct values: it holds no classes")
        labels = labels.astype(np.float32)
    n_columns = X.shape[1]
    entries = X.nnz * 8 / max(n, 1) if sparse.issparse(X) else n_columns * 8
    step = max(1, int(block_bytes / (entries + 12)))

    def blocks():
        for first in range(0, max(n, 1), step):
            rows = slice(first, min(first + step, n))
            more = None if labels is None else labels[rows]
            yield _block(X, frame, rows, dtype, more)

    names = [f"x{i}" for i in range(n_columns)] if frame is None else [str(c) for c in frame]
    if sparse.issparse(X):
        names = None
    return _put(url, blocks(), names, n_columns, dtype, classes, None, overwrite)


def put_parquet(url, sources, label, dtype, block_bytes, overwrite):
    """Write Parquet files as a dataset; see ``Dataset.from_parquet``. Return its Manifest."""
    import pyarrow.parquet

    files = []
    for source in sources:
        parts = urlsplit(source["url"])
        if parts.scheme != "file":
            raise ValueError(f"Parquet is read from files of this machine, not {source['url']}")
        files.append(pyarrow.parquet.ParquetFile(unquote(parts.path)))
    names = files[0].schema_arrow.names
    for file, source in zip(files, sources, strict=True):
        if file.schema_arrow.names != names:
            raise ValueError(f"{source['url']} has other columns than {sources[0]['url']}")
    if label is not None and label not in names:
        raise ValueError(f"there is no column {label!r}; there are: {', '.join(names[:20])}")
    classes = None
    if label is not None:
        found = [file.read(columns=[label])[label].unique().to_pylist() for file in files]
        values = {value for part in found for value in part}
        if None in values:
            raise ValueError(f"the column of labels {label!r} has missing values")
        classes = np.array(sorted(values))
        if len(classes) > MOST_CLASSES:
            raise ValueError(f"{label!r} has {len(classes)} distinct values: it holds no classes")
    columns = [name for name in names if name != label]
    step = max(1, int(block_bytes / (8 * len(columns) + 12)))

    def blocks():
        for file in files:
            for batch in file.iter_batches(batch_size=step):
                labels = None
                if label is not None:
                    values = np.array(batch.column(label).to_pylist())
                    labels = np.searchsorted(classes, values).astype(np.float32)
                cells = tuple(_arrow(batch.column(name), name, dtype) for name in columns)
                yield TableBlock(tuple(columns), cells, labels)

    return _put(url, blocks(), columns, len(columns), dtype, classes, label, overwrite)


def _block(X, frame, rows, dtype, labels):
    """Return some rows as a block."""
    if sparse.issparse(X):
        part = X[rows]
        if not np.isfinite(part.data).all():
            raise ValueError("X is sparse and has values that are not finite numbers")
        arrays = part.indptr.astype(np.uint32), part.indices.astype(np.uint32), part.data
        return Block(*arrays, labels, None, X.shape[1])
    if frame is None:
        columns = tuple(np.ascontiguousarray(X[rows].T))
        return TableBlock(tuple(f"x{i}" for i in range(len(columns))), columns, labels)
    table = as_table(frame.iloc[rows], dtype)
    return TableBlock(table.names, table.columns, labels)


def as_table(frame, dtype):
    """Return a DataFrame as a TableBlock."""
    columns = tuple(_column(frame.iloc[:, i], dtype) for i in range(frame.shape[1]))
    return TableBlock(tuple(map(str, frame.columns)), columns)


def _column(series, dtype):
    """Return a column of a frame."""
    if series.dtype.kind in "fiub":
        return series.to_numpy(dtype=dtype)
    return Text.of([None if value is None or value != value else str(value) for value in series])


def _arrow(array, name, dtype):
    """Return a column of a batch of Arrow."""
    import pyarrow

    kind = array.type
    if pyarrow.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), array.type.value_type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return array.cast(pyarrow.float64()).to_numpy(zero_copy_only=False).astype(dtype)
    if pyarrow.types.is_boolean(kind):
        return array.cast(pyarrow.uint8()).cast(pyarrow.float64()).to_numpy(
            zero_copy_only=False
        ).astype(dtype)  # fmt: skip
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return Text.of(array.to_pylist())
    raise ValueError(f"column {name!r} holds {kind}, neither numbers nor text")


def _put(url, blocks, names, n_features, dtype, classes, label, overwrite):
    """Write blocks and their manifest; return it."""
    known = None if classes is None else classes.tolist()
    told, kind, types = [], "rows", None
    with open_store(url) as store:
        found = store.list()
        if found and not overwrite:
            raise StoreError(
                f"{store.url} holds objects already: give url= an empty place, or overwrite=True "
                "to delete them"
            )
        store.delete(found)
        for number, block in enumerate(blocks):
            name = f"block-{number:06d}-000.safetensors"
            if isinstance(block, TableBlock):
                kind, pieces = "table", encode_table(block)
                new = ["text" if isinstance(c, Text) else "number" for c in block.columns]
                if types not in (None, new):
                    raise ValueError("a column holds numbers in one part and text in another")
                types = new
            else:
                pieces = encode_block(block)
            counts = None
            if block.labels is not None:
                counts = np.bincount(block.labels.astype(np.int64), minlength=len(known)).tolist()
                store.put(labels_name(name), encode_tensors({}, {"labels": block.labels}))
            store.put(name, pieces)
            digest = hashlib.blake2b(digest_size=16)
            for piece in pieces:
                digest.update(piece)
            told.append({
                "name": name,
                "n_rows": block.n_rows,
                "nbytes": block.nbytes,
                "digest": digest.hexdigest(),
                "classes": known,
                "counts": counts,
            })  # fmt: skip
        made = Manifest(kind, names, types, n_features, dtype, label, known, told)
        store.put(NAME, made.encode())
    return made
