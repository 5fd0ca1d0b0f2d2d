"""Files into blocks: what a worker does with a range of a file.

Files are cut into ranges of bytes. The rows of a range are those that begin in it: a reader goes on
behind the end until its last row is whole, and begins with the first row that starts in the range.
Where that is depends, if cells may be quoted, on whether the range begins inside of quotes, which
only all the bytes before can tell. So such files are scanned first: each range is read in every
state at once, and the states are put together in order (``Scan``). Compressed files are one range.

A range becomes a block, a compressed file some. When they are written, an object ``part-...json``
says so: loading that was broken off goes on from these.
"""

import json

import numpy as np

from .blocks import Block
from .dataset_objects import block_name, part_name, put_block
from .errors import StoreError
from .parsing import PLAIN, ROW, first_row, follow, parse_delimited, parse_libsvm
from .sources import decompress, open_source, read_pieces
from .store import keep_store
from .tables import TableBlock, Text

MOST_CLASSES = 1000
_TAIL = 1 << 16  # bytes read at a time to finish the last row
_LONGEST_ROW = 64 << 20
_MOST_TOLD = 100  # bad rows of a range


class Ranges:
    """How sources are cut into ranges: number by number, in the order of the sources.

    Parameters
    ----------
    sources : list of dict
        ``url``, ``size`` (bytes), ``skip`` (bytes of a header), ``compression`` (or None).
    range_bytes : int
    """

    def __init__(self, sources, range_bytes):
        self.sources = sources
        self._bytes = range_bytes
        self._firsts = [0]
        for source in sources:
            self._firsts.append(self._firsts[-1] + self._count(source))

    def __len__(self):
        return self._firsts[-1]

    def __getitem__(self, number):
        """Return (source, start, end, whether it is the source's last) of a range."""
        place = int(np.searchsorted(self._firsts, number, side="right")) - 1
        source = self.sources[place]
        if source["compression"]:
            return source, 0, source["size"], True
        start = source["skip"] + (number - self._firsts[place]) * self._bytes
        end = min(start + self._bytes, source["size"])
        return source, start, end, number + 1 == self._firsts[place + 1]

    def of(self, place):
        """Return the numbers of the ranges of a source."""
        return range(self._firsts[place], self._firsts[place + 1])

    def _count(self, source):
        if source["compression"]:
            return 1
        return -(-(source["size"] - source["skip"]) // self._bytes)


class Scan:
    """For each state that a range may begin in: the one that it ends in. See ``Ranges``."""

    def __init__(self, job):
        self._options = job.options
        self._ranges = Ranges(job.options["sources"], job.options["range_bytes"])

    def read(self, store, name):
        source, start, end, _ = self._ranges[int(name)]
        reader = open_source(source["url"])
        return _Raw(reader.read(start, end), reader)

    def apply(self, lease, raw):
        return 0, follow(raw.data, self._options["delimiter"], self._options["quote"])


class _Raw:
    """Bytes of a file, from ``start`` on, that are not worth keeping."""

    nbytes = 1 << 62

    def __init__(self, data, reader, start=0):
        self.data, self.reader, self.start = data, reader, start


class Load:
    """A range of a file, as blocks."""

    def __init__(self, job):
        self._options = options = job.options
        self._ranges = Ranges(options["sources"], options["range_bytes"])
        self._store = keep_store(options["url"])
        self._delimiter, self._quote = options["delimiter"], options["quote"]

    def read(self, store, name):
        """Read a range, the byte before it, and behind it what its last row may need."""
        source, start, end, _ = self._ranges[int(name)]
        reader = open_source(source["url"])
        if source["compression"]:
            return _Raw(b"", reader)
        first = max(start - 1, 0)
        return _Raw(reader.read(first, min(end + _TAIL, source["size"])), reader, first)

    def apply(self, lease, raw):
        number = lease.block
        part = {"blocks": [], "n_lines": 0, "n_bad": 0, "bad": [], "n_columns": 0}
        walk = self._stream if self._ranges[number][0]["compression"] else self._range
        for parsed in walk(number, raw):
            for bad in parsed.bad[: _MOST_TOLD - len(part["bad"])]:
                part["bad"].append([part["n_lines"] + bad.line, bad.reason])
            part["n_lines"] += parsed.n_lines
            part["n_bad"] += parsed.n_bad
            part["n_columns"] = max(part["n_columns"], parsed.n_columns)
            if parsed.n_rows:
                name = block_name(number, len(part["blocks"]))
                block, classes = self._block(parsed, self._ranges[number][0])
                part["blocks"].append(put_block(self._store, name, block, classes))
        if not part["n_bad"] or self._options["skips"]:
            self._store.put(part_name(number), json.dumps(part).encode())
        return sum(block["n_rows"] for block in part["blocks"]), part

    def _range(self, number, raw):
        """Yield what a range of a file holds, parsed."""
        source, start, end, _ = self._ranges[number]
        at, limit = self._first_row(number, raw, start, source["skip"]), end - raw.start
        if at >= limit:
            return  # no row begins here
        text, size = raw.data, source["size"]
        parsed = self._parse(text, at, limit, raw.start + len(text) >= size)
        while parsed.next < limit:  # the last row goes on behind what was read
            known = raw.start + len(text)
            self._check_row(len(text) - parsed.next, source)
            text += raw.reader.read(known, min(2 * known - raw.start, size))
            if raw.start + len(text) == known:
                raise StoreError(f"{source['url']} is shorter than it was")
            parsed = self._parse(text, at, limit, raw.start + len(text) >= size)
        yield parsed

    def _first_row(self, number, raw, start, skip):
        """Return where in the bytes that were read the first row of a range begins."""
        at = start - raw.start
        if self._options["states"]:
            state = int(self._options["states"][number])
        else:
            state = ROW if start == skip or raw.data[at - 1 : at] == b"\n" else PLAIN
        text = memoryview(raw.data)[at:]
        return at + first_row(text, self._delimiter, self._quote, state)

    def _stream(self, number, raw):
        """Yield what a compressed file holds, parsed, a block at a time."""
        source = self._ranges[number][0]
        pieces = read_pieces(raw.reader, source["size"])
        text, skip = b"", source["skip"]
        pieces = decompress(pieces, source["compression"], source["url"])
        for piece in _cut(pieces, self._options["range_bytes"]):
            skipped = min(skip, len(piece))
            skip -= skipped
            text += piece[skipped:]
            if len(text) >= self._options["range_bytes"]:
                parsed = self._parse(text, 0, None, False)
                yield parsed
                text = text[parsed.next :]
                self._check_row(len(text), source)
        if text:
            yield self._parse(text, 0, None, True)

    def _check_row(self, nbytes, source):
        """Refuse a row that is no row."""
        if nbytes > _LONGEST_ROW:
            raise StoreError(
                f"{source['url']}: a row of more than {_LONGEST_ROW >> 20} MiB; most likely a "
                "quote is never closed, or the delimiter or the quote character is another"
            )

    def _parse(self, text, at, limit, is_last):
        """Parse rows in the format of the files."""
        options = self._options
        if options["format"] == "libsvm":
            return parse_libsvm(text, options["zero_based"], at, limit, is_last)
        more = options["label"], options["dtype"]
        marks = self._delimiter, self._quote
        return parse_delimited(text, options["kinds"], *marks, at, limit, is_last, *more)

    def _block(self, parsed, source):
        """Return the rows that were parsed as a block, and the classes that its labels index."""
        options = self._options
        if options["format"] != "libsvm":
            return self._table(parsed, source)
        labels, indptr, indices, values = parsed.columns
        n_features = options["n_features"]
        if n_features is not None and parsed.n_columns > n_features:
            raise StoreError(
                f"{source['url']} has {parsed.n_columns} columns, more than {n_features=}"
            )
        classes, labels = _encode(labels, source)
        values = None if (values == 1).all() else self._narrow(values)
        n_features = n_features or max(1, parsed.n_columns)
        return Block(indptr, indices, values, labels, None, n_features), classes

    def _table(self, parsed, source):
        """Return the table of what was parsed, and the classes that its labels index."""
        options, label = self._options, self._options["label"]
        names, columns = [], []
        for i, (name, column) in enumerate(zip(options["names"], parsed.columns, strict=True)):
            if column is not None and i != label:
                names.append(name)
                columns.append(column if isinstance(column, Text) else self._narrow(column))
        classes = labels = None
        if label is not None:
            classes, labels = _encode(parsed.columns[label], source)
        return TableBlock(tuple(names), tuple(columns), labels), classes

    def _narrow(self, values):
        """Return numbers in the dtype that was asked for."""
        return values.astype(self._options["dtype"], copy=False)


def _cut(pieces, nbytes):
    """Yield pieces of at most so many bytes."""
    for piece in pieces:
        for first in range(0, len(piece), nbytes):
            yield piece[first : first + nbytes]


def _encode(values, source):
    """Return the distinct labels, sorted, and the index of each row's."""
    if isinstance(values, Text):
        values = np.array(values.tolist())
    classes = np.unique(values)
    if len(classes) > MOST_CLASSES:
        raise StoreError(
            f"{source['url']}: the labels of one block have {len(classes)} distinct values, more "
            f"than the {MOST_CLASSES} that classes may have; if these are no classes, load the "
            "file without label="
        )
    labels = np.searchsorted(classes, values)  # quicker than what np.unique does for an inverse
    return classes.tolist(), labels.astype(np.float32)
