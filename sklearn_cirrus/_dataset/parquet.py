"""Parquet files as blocks of a dataset, by this process."""

from contextlib import ExitStack
from urllib.parse import unquote, urlsplit

import numpy as np

from cirrus_runtime.tables import TableBlock, Text

from .arrays import encode_labels, put_blocks


def put_parquet(place, sources, label, dtype, block_bytes, overwrite):
    """Write Parquet files as a dataset; see ``Dataset.from_parquet``. Return its Manifest."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Dataset.from_parquet needs pyarrow: pip install pyarrow") from error

    with ExitStack() as opened:
        files = []
        for source in sources:
            try:
                file = pyarrow.parquet.ParquetFile(_path(source["url"]))
            except pyarrow.ArrowInvalid as error:
                raise ValueError(f"{source['url']} is no Parquet file: {error}") from error
            files.append(opened.enter_context(file))
        names = files[0].schema_arrow.names
        for file, source in zip(files, sources, strict=True):
            if file.schema_arrow.names != names:
                raise ValueError(f"{source['url']} has other columns than {sources[0]['url']}")
        if label is not None and label not in names:
            raise ValueError(f"there is no column {label!r}; there are: {', '.join(names[:20])}")
        classes = None if label is None else _classes(files, label)
        columns = [name for name in names if name != label]
        step = max(1, int(block_bytes / (8 * len(columns) + 12)))
        blocks = _blocks(files, step, columns, label, classes, dtype)
        return put_blocks(place, blocks, columns, len(columns), dtype, classes, label, overwrite)


def _path(url):
    """Return the path of a file of this machine."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise ValueError(f"Parquet is read from files of this machine, not {url}: copy it here")
    return unquote(parts.path)


def _classes(files, label):
    """Return the distinct labels of files, sorted."""
    found = [file.read(columns=[label])[label].unique().to_pylist() for file in files]
    values = [value for part in found for value in part]
    return encode_labels(values, f"the column of labels {label!r}")[0] if values else []


def _blocks(files, step, columns, label, classes, dtype):
    """Yield the rows of files as tables of at most ``step`` rows."""
    for file in files:
        for batch in file.iter_batches(batch_size=step):
            labels = None
            if label is not None:
                values = np.array(batch.column(label).to_pylist())
                labels = np.searchsorted(np.array(classes), values).astype(np.float32)
            cells = tuple(_column(batch.column(name), name, dtype) for name in columns)
            yield TableBlock(tuple(columns), cells, labels)


def _column(array, name, dtype):
    """Return a column of a batch."""
    from pyarrow import float64, types, uint8

    kind = array.type
    if types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), array.type.value_type
    if types.is_boolean(kind):
        array, kind = array.cast(uint8()), uint8()
    if types.is_integer(kind) or types.is_floating(kind):
        return array.cast(float64()).to_numpy(zero_copy_only=False).astype(dtype)
    if types.is_string(kind) or types.is_large_string(kind):
        return Text.of(array.to_pylist())
    raise ValueError(
        f"column {name!r} holds {kind}, neither numbers nor text: cast it, or leave it out"
    )
