"""What is to be known of CSV and TSV files before they are loaded: their columns."""

import csv
import io

from cirrus_runtime.parsing import parse_delimited

from .files import read_head

_MARK = b"\xef\xbb\xbf"  # a byte order mark
_TYPES = ("number", "text", "skip")
_CRITEO = [f"I{i}" for i in range(1, 14)], [f"C{i}" for i in range(1, 27)]


def csv_options(sources, label, header, names, types, delimiter, quote, dtype):
    """Return how CSV files are to be parsed; set how much of each file is header.

    Raises
    ------
    ValueError
        If a parameter is bad, or the files do not have the same columns.
    """
    for name, mark in (("delimiter", delimiter), ("quote", quote)):
        good = isinstance(mark, str) and len(mark) == 1 and mark.isascii() and mark not in "\r\n"
        if not (good or (name == "quote" and mark is None)):
            raise ValueError(f"{name} must be one ASCII character, got {mark!r}")
    if delimiter == quote:
        raise ValueError(f"delimiter and quote cannot both be {quote!r}")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    if not header and names is None:
        raise ValueError("without a header the columns need names=[...]")
    found = None
    for source in sources:
        head, is_all = read_head(source)
        if not header:
            source["skip"] = len(_MARK) if head.startswith(_MARK) else 0
        elif head:  # an empty file has no header, and no rows
            first, source["skip"], source["header_lines"] = _read_names(head, delimiter, quote)
            if not first:
                raise ValueError(f"{source['url']}: there are no names of columns in its first row")
            if found not in (None, first):
                raise ValueError(
                    f"{source['url']} has other columns than {sources[0]['url']}: {first[:5]} ..."
                )
            found = first
    columns = list(names) if names is not None else found
    if columns is None:
        raise ValueError(f"there is no row in {', '.join(source['url'] for source in sources)}")
    if found is not None and len(columns) != len(found):
        raise ValueError(f"{len(columns)} names for {len(found)} columns")
    if len(set(columns)) != len(columns):
        raise ValueError(f"names of columns must be distinct: {columns}")
    for name in (*(types or ()), *(() if label is None else (label,))):
        if name not in columns:
            raise ValueError(f"there is no column {name!r}; there are: {', '.join(columns[:20])}")
    for name, kind in (types or {}).items():
        if kind not in _TYPES:
            raise ValueError(f"types[{name!r}] must be one of {', '.join(_TYPES)}, got {kind!r}")
    head, is_all = read_head(sources[0])
    guessed = _guess(head[sources[0]["skip"] :], len(columns), delimiter, quote, is_all)
    kinds = [(types or {}).get(name, kind) for name, kind in zip(columns, guessed, strict=True)]
    if label is not None and kinds[columns.index(label)] == "skip":
        raise ValueError(f"the column of labels {label!r} cannot be skipped")
    return {
        "format": "delimited",
        "delimiter": delimiter,
        "quote": quote,
        "names": columns,
        "kinds": kinds,
        "label": None if label is None else columns.index(label),
        "dtype": dtype,
    }


def criteo_options(has_label):
    """Return how files of the Criteo challenge are to be parsed."""
    numbers, texts = _CRITEO
    first = ["label"] if has_label else []
    return {
        "format": "delimited",
        "delimiter": "\t",
        "quote": None,
        "names": [*first, *numbers, *texts],
        "kinds": ["number"] * len(first + numbers) + ["text"] * len(texts),
        "label": 0 if has_label else None,
        "dtype": "float32",
    }


def describe_table(options, parts):
    """Return what the manifest of a table says of its columns."""
    label = options["label"]
    kept = [
        (name, kind)
        for i, (name, kind) in enumerate(zip(options["names"], options["kinds"], strict=True))
        if kind != "skip" and i != label
    ]
    return {
        "kind": "table",
        "names": [name for name, _ in kept],
        "types": [kind for _, kind in kept],
        "n_features": len(kept),
        "dtype": options["dtype"],
        "label": None if label is None else options["names"][label],
    }


def describe_rows(options, parts):
    """Return what the manifest of sparse rows says of their columns."""
    n_features = options["n_features"] or max(1, *(part["n_columns"] for part in parts))
    more = {"n_features": n_features, "dtype": options["dtype"], "label": None}
    return {"kind": "rows", "names": None, "types": None} | more


def _read_names(head, delimiter, quote):
    """Return the cells of the first row, the bytes that it takes, and its lines."""
    if head.startswith(_MARK):
        names, nbytes, lines = _read_names(head[len(_MARK) :], delimiter, quote)
        return names, nbytes + len(_MARK), lines
    text = io.StringIO(head.decode(errors="replace"), newline="")
    rows = csv.reader(text, delimiter=delimiter, quotechar=quote or "\0")
    names = next((row for row in rows if row), [])
    parsed = parse_delimited(head, ["text"] * len(names), delimiter, quote, limit=1)
    return names, parsed.next, parsed.n_lines


def _guess(text, n_columns, delimiter, quote, is_all):
    """Return for each column whether it holds numbers or text."""
    kinds = ["number"] * n_columns
    while True:
        found = parse_delimited(text, kinds, delimiter, quote, is_last=is_all).bad
        texts = {bad.no_number for bad in found if bad.no_number is not None}
        if not texts:
            return ["text" if kind == "skip" else kind for kind in kinds]
        for i in texts:
            kinds[i] = "skip"
