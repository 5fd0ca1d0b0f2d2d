"""Views of a dataset: which of its blocks and rows, and what is made of them when they are read.

A view is JSON, so that a job can carry it:

- ``url``: store of the dataset; ``kind``: ``"table"`` or ``"rows"``; ``n_features`` of rows;
- ``digests``: XXH64 (hexadecimal) of each block that is used, by name; None: not known, as of a
  block that this run may still put;
- ``labels``: for a block whose label indices are not those of the whole dataset, by name, what
  they become;
- ``rows``: for a block that is not taken whole, by name, which rows: see :func:`pack_rows`;
- ``steps``: what is done to every block, one after the other: see ``_STEPS``.
"""

import base64
import zlib
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from .blocks import Block, decode_block
from .dataset_objects import digest_of
from .errors import BlockError
from .hashing import hash_table
from .linear import margins_of, probabilities_of
from .ratings import ratings_of_rows
from .store import keep_store
from .tables import TableBlock, Text, decode_table

_checked = OrderedDict()  # blocks whose bytes were right when this process first read them
_MOST_CHECKED = 1 << 16


def read_view(view, name):
    """Read a block as a view has it.

    Parameters
    ----------
    view : dict
    name : str
        Of the block in the dataset.

    Returns
    -------
    Block or TableBlock

    Raises
    ------
    StoreError
        If it cannot be read, is not what was written, or a step cannot be done.
    """
    data = keep_store(view["url"]).get(name)
    digest = view["digests"][name]
    if digest is not None:
        _check(data, view["url"], name, digest)
    if view["kind"] == "table":
        block = decode_table(data, name)
    else:
        block = replace(decode_block(data, name), n_features=view["n_features"])
    becomes = view["labels"].get(name)
    if becomes is not None and block.labels is not None:
        labels = np.array(becomes, np.float32)[block.labels.astype(np.int64)]
        block = replace(block, labels=labels)
    rows, steps = view["rows"].get(name), view["steps"]
    if rows is not None:
        rows = unpack_rows(rows, block.n_rows)
        if steps and steps[0]["step"] == "hash":
            block, steps = _hash(block, steps[0], name, rows), steps[1:]
        else:
            block = take_rows(block, rows)
    for step in steps:
        block = _STEPS[step["step"]](block, step, name)
    return block


def _check(data, url, name, digest):
    """Refuse a block that is not what was written; look at each the first time it is read."""
    known = url, name, digest
    if known in _checked:
        return
    if digest_of([data]) != digest:
        raise BlockError(
            f"{name} in {url} is not what was written there: it is damaged, or another dataset "
            "was written over it; load the dataset anew"
        )
    _checked[known] = None
    while len(_checked) > _MOST_CHECKED:
        _checked.popitem(last=False)


def pack_rows(rows, n_rows):
    """Return row numbers of a block as JSON: a pair for a range, else a text.

    Parameters
    ----------
    rows : int64 array
    n_rows : int
        Of the block.
    """
    if rows.size and (np.diff(rows) == 1).all():
        return [int(rows[0]), int(rows[-1]) + 1]
    if rows.size and (np.diff(rows) > 0).all():
        marks = np.zeros(n_rows, bool)
        marks[rows] = True
        return "m" + _as_text(np.packbits(marks))
    return "n" + _as_text(rows.astype("<u4"))


def unpack_rows(packed, n_rows):
    """Return the row numbers that :func:`pack_rows` made JSON of."""
    if isinstance(packed, list):
        return np.arange(*packed)
    if packed[0] == "m":
        marks = np.unpackbits(_as_bytes(packed[1:], np.uint8), count=n_rows)
        return np.flatnonzero(marks)
    return _as_bytes(packed[1:], "<u4").astype(np.int64)


def _as_text(array):
    return base64.b64encode(zlib.compress(array.tobytes(), 1)).decode()


def _as_bytes(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def pack_numbers(values):
    """Return an array of float64 as a text for a step.

    It is not compressed: a model of a million columns would take a third of a second, and hardly
    be smaller.
    """
    return base64.b64encode(np.ascontiguousarray(values, "<f8")).decode()


def unpack_numbers(text):
    """Return the float64 array that :func:`pack_numbers` made a text of."""
    return np.frombuffer(base64.b64decode(text), "<f8")


def take_rows(block, rows):
    """Return a block of some rows of a block.

    Parameters
    ----------
    block : Block or TableBlock
    rows : int64 array
    """
    if isinstance(block, TableBlock):
        return block.take(rows)
    starts = block.indptr[rows].astype(np.int64)
    lengths = block.indptr[rows + 1].astype(np.int64) - starts
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
    return Block(
        indptr=indptr.astype(np.uint32),
        indices=block.indices[places],
        data=None if block.data is None else block.data[places],
        labels=None if block.labels is None else block.labels[rows],
        weights=None if block.weights is None else block.weights[rows],
        n_features=block.n_features,
    )


def as_numbers(table, name):
    """Return the columns of a table of numbers as one array of shape (n_rows, n_columns).

    Raises
    ------
    BlockError
        If a column holds text.
    """
    for column, values in zip(table.names, table.columns, strict=True):
        if isinstance(values, Text):
            raise BlockError(
                f"{name}: column {column!r} holds text, which has to be made numbers first, "
                "for example by CirrusFeatureHasher"
            )
    return np.stack(table.columns, axis=1) if table.columns else np.empty((table.n_rows, 0))


def _hash(table, step, name, rows=None):
    """Some rows of a table hashed: ``n_features``, ``signed``, ``numbers``, ``dtype``."""
    if not isinstance(table, TableBlock):
        raise BlockError(f"{name}: only the columns of a table can be hashed, and this has rows")
    more = step["n_features"], step["signed"], step["numbers"], np.dtype(step["dtype"])
    return hash_table(table, *more, rows)


def _affine(block, step, name):
    """Columns less ``center``, times ``scale``, plus ``shift``, within ``clip``; None: as it is."""
    if isinstance(block, TableBlock):
        moved = _move(as_numbers(block, name), slice(None), step)
        return replace(block, columns=tuple(np.ascontiguousarray(moved.T)))
    data = np.ones(len(block.indices), np.float32) if block.data is None else block.data
    return replace(block, data=_move(data, block.indices, step))


def _move(values, columns, step):
    """Return values of columns moved as a step says."""
    parts = [step[name] for name in ("center", "scale", "shift")]
    center, scale, shift = (
        None if part is None else unpack_numbers(part).astype(values.dtype)[columns]
        for part in parts
    )
    moved = values.copy() if center is None else values - center
    if scale is not None:
        moved *= scale
    if shift is not None:
        moved += shift
    if step["clip"] is not None:
        np.clip(moved, *step["clip"], out=moved)
    return moved


def _rows(block, step, name):
    """Rows that a model can take: a table of numbers becomes rows with every entry."""
    if isinstance(block, Block):
        data = None if block.data is None else block.data.astype(step["dtype"], copy=False)
        return replace(block, data=data)
    values = as_numbers(block, name).astype(step["dtype"], copy=False)
    n, d = values.shape
    if not np.isfinite(values).all():
        column = block.names[int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])]
        raise BlockError(
            f"{name}: column {column!r} has values that are missing or not finite, and a model "
            "takes none; hash the table, or fill them in before it is loaded"
        )
    return Block(
        indptr=np.arange(n + 1, dtype=np.uint32) * np.uint32(d),
        indices=np.tile(np.arange(d, dtype=np.uint32), n),
        data=values.ravel(),
        labels=block.labels,
        weights=block.weights,
        n_features=max(1, d),
    )


def _labels(block, step, name):
    """Class indices that become others (``becomes``), and row weights by class (or None).

    They are float32, unless ``precision`` is ``"float64"``.
    """
    if block.labels is None:
        raise BlockError(f"{name} has no labels to train on")
    labels = np.array(step["becomes"], np.float32)[block.labels.astype(np.int64)]
    weights = block.weights
    if step["weights"] is not None:
        of_class = np.array(step["weights"], step.get("precision", "float32"))[
            labels.astype(np.int64)
        ]
        weights = of_class if weights is None else of_class * weights
    return replace(block, labels=labels, weights=weights)


def _scores(block, step, name):
    """What a linear model says of rows, as columns ``names``: margins, or probabilities."""
    intercept = unpack_numbers(step["intercept"])
    coef = unpack_numbers(step["coef"]).reshape(intercept.size, -1)
    scores = margins_of(block, coef, intercept, name)
    if step["method"] == "predict_proba":
        scores = probabilities_of(scores)
    columns = tuple(np.ascontiguousarray(scores.T))
    return TableBlock(tuple(step["names"]), columns, block.labels, block.weights)


_STEPS = {
    "hash": _hash,
    "affine": _affine,
    "rows": _rows,
    "labels": _labels,
    "scores": _scores,
    "ratings": ratings_of_rows,
}
