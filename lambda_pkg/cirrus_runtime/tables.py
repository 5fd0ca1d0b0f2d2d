"""Table blocks: row groups whose columns are numbers or text, before anything is made of them.

A file of raw data becomes table blocks; hashing or scaling makes blocks of ``blocks.py`` of them,
which models train on. The file is in safetensors format (see ``tensors.py``): column i is
``i.numbers``, or ``i.ends`` and ``i.bytes``; the header's metadata carries the format version and
the columns' names.
"""

import json
from dataclasses import dataclass

import numpy as np

from .blocks import are_class_indices
from .errors import BlockError
from .tensors import decode_tensors, dtype_code, encode_tensors

VERSION = 1
_FORMAT = "cirrus.table"
_CODES = {"numbers": ("F32", "F64"), "ends": ("U32",), "bytes": ("U8",)}
_ROW_CODES = {"labels": ("F32",), "weights": ("F32", "F64")}
# 40 columns take 8 KiB. The bound keeps a damaged length from costing memory.
_LONGEST_HEADER = 64 << 20


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """A column of text.

    Attributes
    ----------
    ends : uint32 array of shape (n_rows,)
        Where the bytes of each row end; they begin where those of the row before end.
    bytes : uint8 array
        UTF-8. No bytes: the value is missing.
    """

    ends: np.ndarray
    bytes: np.ndarray

    def __len__(self):
        return self.ends.shape[0]

    @property
    def nbytes(self):
        """Bytes of both arrays."""
        return self.ends.nbytes + self.bytes.nbytes

    @classmethod
    def of(cls, values):
        """Return the column of a sequence of str; None and "" are missing."""
        cells = [(value or "").encode() for value in values]
        ends = np.cumsum([len(cell) for cell in cells], dtype=np.uint64)
        if ends.size and ends[-1] >= 2**32:
            raise BlockError("a column of a block has 4 GiB of text or more: cut smaller blocks")
        return cls(ends.astype(np.uint32), np.frombuffer(b"".join(cells), np.uint8))

    def tolist(self):
        """Return the values as a list of str, None where one is missing."""
        whole = self.bytes.tobytes()
        bounds = [0, *self.ends.tolist()]
        pairs = zip(bounds, bounds[1:], strict=False)
        return [whole[a:b].decode(errors="replace") if b > a else None for a, b in pairs]

    def take(self, rows):
        """Return the column of some rows."""
        starts = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)[rows]
        lengths = self.ends.astype(np.int64)[rows] - starts
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if ends.size else 0)
        places += np.repeat(starts - (ends - lengths), lengths)
        return Text(ends.astype(np.uint32), self.bytes[places])


@dataclass(frozen=True, eq=False, slots=True)
class TableBlock:
    """A group of rows of a table.

    Attributes
    ----------
    names : tuple of str
        One for each column; distinct.
    columns : tuple of (float32 or float64 array of shape (n_rows,)) or Text
        NaN: the number is missing.
    labels : float32 array of shape (n_rows,) or None
        Class index of each row, as in ``Block``.
    weights : float32 or float64 array of shape (n_rows,) or None
    """

    names: tuple
    columns: tuple
    labels: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def n_rows(self):
        """Number of rows."""
        parts = [*self.columns, *(a for a in (self.labels, self.weights) if a is not None)]
        return len(parts[0]) if parts else 0

    @property
    def nbytes(self):
        """Bytes of all arrays together."""
        return sum(array.nbytes for array in self._arrays().values())

    def take(self, rows):
        """Return a table of some rows.

        Parameters
        ----------
        rows : int array or slice
        """
        if isinstance(rows, slice):
            rows = np.arange(self.n_rows)[rows]
        return TableBlock(
            self.names,
            tuple(c.take(rows) if isinstance(c, Text) else c[rows] for c in self.columns),
            *(None if a is None else a[rows] for a in (self.labels, self.weights)),
        )

    def _arrays(self):
        """The arrays that are there, by name, in the order of the file."""
        arrays = {}
        for i, column in enumerate(self.columns):
            if isinstance(column, Text):
                arrays |= {f"{i}.ends": column.ends, f"{i}.bytes": column.bytes}
            else:
                arrays[f"{i}.numbers"] = column
        rest = {"labels": self.labels, "weights": self.weights}
        return arrays | {name: array for name, array in rest.items() if array is not None}


def encode_table(table):
    """Encode a table block; see :func:`~cirrus_runtime.blocks.encode_block`.

    Raises
    ------
    BlockError
        If names, shapes or dtypes are wrong.
    """
    _check(table, "the table to encode")
    names = json.dumps(list(table.names), separators=(",", ":"))
    metadata = {"format": _FORMAT, "version": str(VERSION), "columns": names}
    return encode_tensors(metadata, table._arrays())


def decode_table(buffer, name):
    """Decode and check a table block without copying it.

    Parameters
    ----------
    buffer : buffer
    name : str
        What errors call the block.

    Returns
    -------
    TableBlock

    Raises
    ------
    BlockError
        If the buffer is not a whole and valid table of this version.
    """
    metadata, arrays = decode_tensors(buffer, name, _codes, _LONGEST_HEADER)
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise BlockError(f"{name}: not a table: its metadata does not say {_FORMAT}")
    if metadata.get("version") != str(VERSION):
        found = str(metadata.get("version"))[:20]
        raise BlockError(f"{name}: format version {found!r}, this program reads {str(VERSION)!r}")
    try:
        names = json.loads(metadata.get("columns", ""))
    except (TypeError, ValueError, RecursionError) as error:
        raise BlockError(f"{name}: the names of the columns are damaged ({error})") from error
    if not isinstance(names, list) or not all(isinstance(text, str) for text in names):
        raise BlockError(f"{name}: the names of the columns are damaged (not a list of texts)")
    columns = []
    for i in range(len(names)):
        numbers, ends = arrays.pop(f"{i}.numbers", None), arrays.pop(f"{i}.ends", None)
        text = arrays.pop(f"{i}.bytes", None)
        if (numbers is None) != (ends is not None and text is not None):
            raise BlockError(f"{name}: column {i} is neither numbers nor text")
        columns.append(Text(ends, text) if numbers is None else numbers)
    table = TableBlock(
        *(tuple(names), tuple(columns)),
        *(arrays.pop(key, None) for key in _ROW_CODES),
    )
    if arrays:
        raise BlockError(f"{name}: unknown array {next(iter(arrays))[:40]!r}")
    _check(table, name)
    return table


def _codes(key):
    """Return the dtypes that an array of this name may have."""
    if key in _ROW_CODES:
        return _ROW_CODES[key]
    number, _, part = key.partition(".")
    return _CODES.get(part) if number.isdecimal() and str(int(number)) == number else None


def _check(table, name):
    """Raise BlockError unless all parts of the table fit each other."""
    if len(set(table.names)) != len(table.names) or len(table.names) != len(table.columns):
        raise BlockError(f"{name}: {len(table.columns)} columns need as many distinct names")
    for key, array in table._arrays().items():
        if array.ndim != 1 or dtype_code(array) not in _codes(key):
            raise BlockError(f"{name}: {key} has shape {array.shape} and dtype {array.dtype}")
        if not key.endswith(".bytes") and len(array) != table.n_rows:
            raise BlockError(f"{name}: {key} has {len(array)} values, not {table.n_rows}")
    for column, text in zip(table.names, table.columns, strict=True):
        if not isinstance(text, Text):
            continue
        end = int(text.ends[-1]) if len(text) else 0
        if end != text.bytes.shape[0] or (text.ends[1:] < text.ends[:-1]).any():
            raise BlockError(f"{name}: the ends of column {column[:40]!r} do not fit its bytes")
    if table.labels is not None and not are_class_indices(table.labels):
        raise BlockError(f"{name}: a label is not a class index")
