"""Ratings of a CSV file in the layout of MovieLens."""

import csv
import math
from array import array
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

_LINES = 4096  # between two looks at how much has been read


def load_ratings(path, *, user="userId", item="movieId", rating="rating", verbose=0):
    """Read ratings from a CSV file whose first line names the columns, as MovieLens has them.

    Parameters
    ----------
    path : str or Path
        The file, in UTF-8.
    user, item, rating : str
        The columns with the id of the user, the id of the item, and the rating. Other columns are
        passed over.
    verbose : int, default=0
        Whether to show how much of the file has been read.

    Returns
    -------
    X : csr_array of shape (n_users, n_items), float32
        The stored entries are the ratings. Columns are sorted in each row.
    users : array of shape (n_users,)
        The id of the user of each row, ascending: int64 if all are whole numbers, else str.
    items : array of shape (n_items,)
        The id of the item of each column, likewise.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        A column or a field is missing, a rating is not a finite number, or a user has rated an
        item twice. The message names the file and the line.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_cirrus.datasets import load_ratings
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "ratings.csv")
    ...     _ = path.write_text("userId,movieId,rating\\n7,30,4.5\\n7,10,3\\n9,10,1\\n")
    ...     X, users, items = load_ratings(path)
    >>> X.toarray()
    array([[3. , 4.5],
           [1. , 0. ]], dtype=float32)
    >>> users, items
    (array([7, 9]), array([10, 30]))
    """
    names = (user, item, rating)
    rows, columns, ratings, lines = _Numbering(), _Numbering(), array("d"), array("q")
    for line, who, what, stars in _read(path, names, verbose):
        rows.add(who)
        columns.add(what)
        ratings.append(stars)
        lines.append(line)
    if not ratings:
        raise ValueError(f"{path} has no ratings: only its first line, or nothing at all.")
    users, row = rows.sorted()
    items, column = columns.sorted()
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    _refuse_twice(row, column, users, items, np.asarray(lines)[order], path)

    indptr = np.searchsorted(row, np.arange(len(users) + 1)).astype(np.int32)
    data = np.asarray(ratings, np.float32)[order]
    X = csr_array((data, column.astype(np.int32), indptr), shape=(len(users), len(items)))
    X.has_canonical_format = True
    return X, users, items


def _read(path, names, verbose):
    """Yield the number of each line, its user, its item and its rating."""
    with (
        Path(path).open(newline="", encoding="utf-8-sig") as file,
        _bar(path) if verbose else nullcontext(lambda *so_far: None) as show,
    ):
        reader = csv.reader(file)
        try:
            places = _find(next(reader, []), names, path)
            for fields in reader:
                if not fields:
                    continue  # an empty line
                if len(fields) <= max(places):
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(fields)} fields are too few for "
                        f"the columns {', '.join(names)} that the first line names."
                    )
                if reader.line_num % _LINES == 0:
                    show(file.buffer.tell() / 2**20, f"{reader.line_num:,} lines")
                who, what, stars = (fields[place] for place in places)
                yield reader.line_num, who, what, _number(stars, path, reader.line_num)
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}.") from error
        except UnicodeDecodeError as error:
            # The file is decoded ahead of the reader, so the line is one of those that follow.
            raise ValueError(
                f"{path} is not UTF-8, somewhere after line {reader.line_num}: {error}."
            ) from error


@contextmanager
def _bar(path):
    """Give a function that shows how many MiB of the file, and how many lines, have been read."""
    from .._bar import Bar  # late: tqdm

    path = Path(path)
    size = path.stat().st_size / 2**20
    bar = Bar(f"reading {path.name}", size, "{n:.1f}/{total:.1f} MiB")
    is_done = False
    try:
        yield bar.show
        bar.show(size)
        is_done = True
    finally:
        bar.close(is_done)


def _number(text, path, line):
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{path}, line {line}: the rating {text!r} is not a finite number.")
    return value


def _find(header, names, path):
    """The places of the named columns."""
    missing = [name for name in names if name not in header]
    if missing:
        raise ValueError(
            f"{path}, line 1: the column {missing[0]!r} is missing among {', '.join(header)!r}. "
            "The first line names the columns; the parameters user, item and rating say which to "
            "take."
        )
    return [header.index(name) for name in names]


def _refuse_twice(row, column, users, items, lines, path):
    """Raise ValueError if two neighbours are of the same user and item."""
    twice = np.flatnonzero((row[1:] == row[:-1]) & (column[1:] == column[:-1]))
    if twice.size:
        place = twice[0]
        raise ValueError(
            f"{path}, line {lines[place + 1]}: user {users[row[place]]} has rated item "
            f"{items[column[place]]} before, in line {lines[place]}."
        )


class _Numbering:
    """Ids in the order of their first appearance, and which one each line has."""

    def __init__(self):
        self._ids, self._lines = {}, array("q")

    def add(self, name):
        """Take the id of one more line."""
        self._lines.append(self._ids.setdefault(name, len(self._ids)))

    def sorted(self):
        """The ids, ascending, and the place among them of the id of each line."""
        try:
            ids = np.array([int(name) for name in self._ids], np.int64)
        except (ValueError, OverflowError):
            ids = np.array(list(self._ids))
        ids, place = np.unique(ids, return_inverse=True)
        return ids, place[np.asarray(self._lines)]
