"""Text into columns, through the compiled parsers: CSV and TSV, and the format of LIBSVM."""

from ctypes import addressof, byref
from dataclasses import dataclass

import numpy as np

from . import text_kernels
from .errors import CirrusError
from .tables import Text

_NO_QUOTE = 256
_KINDS = {"skip": text_kernels.SKIP, "text": text_kernels.TEXT}
_NUMBERS = {"float64": text_kernels.NUMBER, "float32": text_kernels.NUMBER32}
_NO_NUMBER = 3
_REASONS = {
    1: "the row has only {column} cells, not {n_columns}",
    2: "the row has {column} cells, not {n_columns}",
    _NO_NUMBER: "{cell} is not a number",
    4: "something follows the closing quote of {cell}",
    5: "the quote that begins a cell is never closed",
    6: "{cell} is not index:value with an index of {least} or more",
    7: "indices must rise along a row",
    8: "qid is not supported: there is no ranking here",
    9: "the label is missing",
}
_MOST_TOLD = 100  # bad rows of one text
LONGEST_TEXT = 2**31 - 1
STATES = 5  # in which a byte may stand: see text.h
ROW, PLAIN = 0, 2


@dataclass(frozen=True)
class BadRow:
    """A row that was left out.

    Attributes
    ----------
    line : int
        Its first line, counted from 0 where parsing began.
    reason : str
    no_number : int or None
        The column whose cell is no number, if that is the reason.
    """

    line: int
    reason: str
    no_number: int | None = None


@dataclass(frozen=True, eq=False)
class Parsed:
    """What was parsed.

    Attributes
    ----------
    columns : list
        Of delimited text: for each column an array, a Text, or None if it was skipped. Of LIBSVM:
        labels (float64), indptr, indices (uint32) and values (float64).
    n_rows : int
    n_columns : int
        Of LIBSVM: one more than the largest index. Else the number of columns.
    next : int
        Where in the text the first row begins that was not parsed.
    n_lines : int
        Lines that were parsed, blank ones and bad ones too.
    n_bad : int
        Bad rows.
    bad : list of BadRow
        The first of them.
    """

    columns: list
    n_rows: int
    n_columns: int
    next: int
    n_lines: int
    n_bad: int
    bad: list


def follow(text, delimiter, quote, states=range(STATES)):
    """Read text in several states at the same time.

    Parameters
    ----------
    text : buffer
    delimiter, quote : str
        One ASCII character each; the quote may be None.
    states : iterable of int

    Returns
    -------
    list of int
        For each state the one after the text.
    """
    data = np.frombuffer(text, np.uint8)
    states = np.fromiter(states, np.uint8)
    text_kernels.follow(
        *(data.ctypes.data, data.size, ord(delimiter), _code(quote)),
        *(states.ctypes.data, states.size),
    )
    return states.tolist()


def first_row(text, delimiter, quote, state):
    """Return where the first row begins in a text whose first byte stands in a state.

    The length of the text if none does.
    """
    data = np.frombuffer(text, np.uint8)
    return text_kernels.first_row(data.ctypes.data, data.size, ord(delimiter), _code(quote), state)


def parse_delimited(
    text, kinds, delimiter, quote, at=0, limit=None, is_last=True, label=None, dtype="float64"
):
    """Parse rows of CSV or TSV.

    Parameters
    ----------
    text : buffer
        Less than 2 GiB.
    kinds : sequence of {"number", "text", "skip"}
        One for each column.
    delimiter, quote : str
        One ASCII character each; the quote may be None.
    at : int
        Where the first row begins.
    limit : int, optional
        Rows that begin here or behind are not parsed.
    is_last : bool
        Whether the file ends with the text. Else a row that the text ends in is not parsed.
    label : int, optional
        Number of a column that may not be missing.
    dtype : {"float64", "float32"}
        Of numbers; labels are float64.

    Returns
    -------
    Parsed

    Raises
    ------
    CirrusError
        If the text is too long.
    """
    data = _as_array(text)
    limit = data.size if limit is None else limit
    room = _count(data[at:limit], b"\n") + 1
    columns = (text_kernels.Column * max(1, len(kinds)))()
    found, n_texts = [None] * len(kinds), 0
    for number, (column, kind) in enumerate(zip(columns, kinds, strict=False)):
        of = "float64" if number == label else dtype
        column.kind = _NUMBERS[of] if kind == "number" else _KINDS[kind]
        column.required = number == label
        if kind == "number":
            found[number] = np.empty(room, of)
            column.numbers = found[number].ctypes.data
        elif kind == "text":
            column.place, n_texts = n_texts, n_texts + 1
            found[number] = Text(np.empty(room, np.uint32), np.empty(0, np.uint8))
            column.ends = found[number].ends.ctypes.data
            found[number] = _widen(column, found[number], 2 * data.size // len(kinds))
    bad = (text_kernels.BadRowStruct * _MOST_TOLD)()
    spans = np.empty((text_kernels.TILE, n_texts), np.uint64)
    struct = text_kernels.TextStruct(
        data=data.ctypes.data,
        size=data.size,
        at=at,
        limit=limit,
        columns=addressof(columns),
        spans=spans.ctypes.data,
        bad=addressof(bad),
        n_columns=len(kinds),
        n_texts=n_texts,
        delimiter=ord(delimiter),
        quote=_code(quote),
        is_last=is_last,
        most_bad=_MOST_TOLD,
    )
    while not text_kernels.parse(byref(struct)):
        i = struct.narrow
        found[i] = _widen(columns[i], found[i], 2 * columns[i].room + 1)
    n = struct.n_rows
    for i, (column, rows) in enumerate(zip(columns, found, strict=False)):
        if isinstance(rows, Text):
            found[i] = Text(rows.ends[:n], rows.bytes[: column.size])
        elif rows is not None:
            found[i] = rows[:n].copy() if n < room // 2 else rows[:n]
    rows = [_told(row, data, len(kinds), delimiter, 0) for row in bad[: struct.n_bad]]
    return Parsed(found, n, len(kinds), struct.at, struct.n_lines, struct.n_bad, rows)


def parse_libsvm(text, zero_based=False, at=0, limit=None, is_last=True):
    """Parse rows of the format of LIBSVM.

    Parameters
    ----------
    text : buffer
        Less than 2 GiB.
    zero_based : bool
        Whether the first column is 0, not 1.
    at, limit, is_last
        As of :func:`parse_delimited`.

    Returns
    -------
    Parsed

    Raises
    ------
    CirrusError
        If the text is too long.
    """
    data = _as_array(text)
    rows, entries = _count(data[at:], b"\n") + 1, _count(data[at:], b":")
    labels, indptr = np.empty(rows, np.float64), np.empty(rows + 1, np.uint32)
    indices, values = np.empty(entries, np.uint32), np.empty(entries, np.float64)
    bad = (text_kernels.BadRowStruct * _MOST_TOLD)()
    struct = text_kernels.LibsvmStruct(
        data=data.ctypes.data,
        size=data.size,
        at=at,
        limit=data.size if limit is None else limit,
        labels=labels.ctypes.data,
        indptr=indptr.ctypes.data,
        indices=indices.ctypes.data,
        values=values.ctypes.data,
        bad=addressof(bad),
        is_last=is_last,
        zero_based=zero_based,
        most_bad=_MOST_TOLD,
    )
    text_kernels.parse_libsvm(byref(struct))
    n = struct.n_rows
    stop = int(indptr[n])
    return Parsed(
        [labels[:n], indptr[: n + 1], indices[:stop], values[:stop]],
        *(n, struct.n_columns, struct.at, struct.n_lines, struct.n_bad),
        [_told(row, data, 0, " ", int(not zero_based)) for row in bad[: struct.n_bad]],
    )


def _widen(column, text, room):
    """Give a column of text room for more bytes; return it with those that are there."""
    wider = np.empty(room + text_kernels.SLACK, np.uint8)
    wider[: column.size] = text.bytes[: column.size]
    column.bytes, column.room = wider.ctypes.data, room
    return Text(text.ends, wider)


def _told(row, data, n_columns, delimiter, least):
    """Return a bad row with its reason."""
    line = data[row.start : row.start + 4096].tobytes().split(b"\n")[0]
    cells = line.decode(errors="replace").rstrip("\r").split(delimiter)
    cell = (
        cells[row.column]
        if row.column < len(cells) and n_columns
        else line.decode("utf-8", "replace")
    )
    cell = cell if len(cell) <= 40 else cell[:40] + "..."
    reason = _REASONS[row.code].format(
        column=row.column, n_columns=n_columns, cell=repr(cell), least=least
    )
    return BadRow(row.line, reason, row.column if row.code == _NO_NUMBER else None)


def _as_array(text):
    """Return the bytes of a text as an array."""
    data = np.frombuffer(text, np.uint8)
    if data.size > LONGEST_TEXT:
        raise CirrusError(f"a text of {data.size} bytes is parsed in parts of less than 2 GiB")
    return data


def _count(data, byte):
    """Return how often a byte occurs in an array."""
    return text_kernels.count(data.ctypes.data, data.size, ord(byte))


def _code(quote):
    """Return the number of a quote character, and another one for none."""
    return _NO_QUOTE if quote is None else ord(quote)
