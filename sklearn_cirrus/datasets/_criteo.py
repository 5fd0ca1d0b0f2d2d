"""Made-up files in the format of the Criteo display advertising challenge, of any size."""

import contextlib
import gzip
import os
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_scalar

from ._clicks import GROUP, draw_rows, effects_of, scramble

__all__ = ["write_criteo"]

_N_COUNTS = 13
# Categories C3, C4, C12, ... are missing in some rows: where they would be the value that is drawn
# most often, 4 to 43% of the rows as in the challenge's own files.
_WITH_GAPS = np.array([3, 4, 12, 16, 19, 20, 21, 22, 24, 25, 26]) - 1
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), "V2")
_DIGITS = 10
_LARGEST = 2**31 - 1
_SALT = 0x5EED  # of the texts of categories: the same for all seeds
_TAB, _NEWLINE, _ZERO = 9, 10, 48


def write_criteo(path, n_rows, *, signal=1.5, random_state=0):
    r"""Write a file of clicks in the format of the Criteo display advertising challenge.

    A line has, with tabs between: a label, 0 or 1; 13 counts, some of which are missing; 26
    categories of 8 hexadecimal digits, some of which are missing too. The rows are those of
    :func:`make_clicks` with the same ``signal`` and ``random_state``, before hashing: that
    describes how they are drawn, and its ``probabilities`` are those of these rows.

    Rows are drawn and written in groups, so memory stays the same however long the file is.

    Parameters
    ----------
    path : str or Path
        A file that is there already is replaced. If its name ends in ``.gz`` it is compressed.
    n_rows : int
    signal : float, default=1.5
        Standard deviation of the logits: the higher, the better a model can be.
    random_state : int, RandomState instance or None, default=0
        With the same int, the first rows of a longer file are those of a shorter one.

    Raises
    ------
    OSError
        If the file cannot be written. What was written of it is removed, as on any exception.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn_cirrus.datasets import write_criteo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "clicks.tsv")
    ...     write_criteo(path, 100)
    ...     lines = path.read_text().splitlines()
    >>> len(lines), len(lines[0].split("\t"))
    (100, 40)
    """
    check_scalar(n_rows, "n_rows", Integral, min_val=1)
    check_scalar(signal, "signal", (float, Integral), min_val=0)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    effects = effects_of(seed, signal)
    path = Path(path)
    with _open(path) as file:
        for group, start in enumerate(range(0, n_rows, GROUP)):
            values, chances, counts = draw_rows(seed, group)
            clicks = chances < effects.probabilities(values)
            lines = _as_text(clicks, counts, values)
            file.write(lines(min(GROUP, n_rows - start)))


@contextlib.contextmanager
def _open(path):
    """Open a file to write, and remove it should that end in an exception."""
    is_new = not os.path.lexists(path) or path.is_file()
    file = gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb")
    try:
        with file:
            yield file
    except BaseException:
        if is_new:  # and no device or pipe
            path.unlink(missing_ok=True)
        raise


def _as_text(clicks, counts, values):
    """Return a function that gives the lines of the first n rows.

    Every cell is written at full width into a table of characters, and what is not used of it is
    left out when that is made text.
    """
    categories = values[_N_COUNTS:]
    n_rows, n_categories = len(clicks), len(categories)
    width = 2 + _N_COUNTS * (_DIGITS + 1) + n_categories * 9
    text, is_used = np.empty((n_rows, width), np.uint8), np.empty((n_rows, width), bool)

    text[:, 0], text[:, 1] = clicks + _ZERO, _TAB
    is_used[:, :2] = True

    middle = slice(2, 2 + _N_COUNTS * (_DIGITS + 1))
    cells = text[:, middle].reshape(n_rows, _N_COUNTS, _DIGITS + 1)
    used = is_used[:, middle].reshape(n_rows, _N_COUNTS, _DIGITS + 1)
    rest = np.minimum(counts, _LARGEST).astype(np.uint32).T
    is_there = values[:_N_COUNTS].T > 0
    for place in range(_DIGITS - 1, -1, -1):
        used[:, :, place] = is_there & ((rest > 0) | (place == _DIGITS - 1))
        tenth = rest // np.uint32(10)
        cells[:, :, place] = rest - tenth * np.uint32(10) + np.uint32(_ZERO)
        rest = tenth
    cells[:, :, _DIGITS], used[:, :, _DIGITS] = _TAB, True

    cells = text[:, middle.stop :].reshape(n_rows, n_categories, 9)
    used = is_used[:, middle.stop :].reshape(n_rows, n_categories, 9)
    hashes = np.ascontiguousarray(scramble(categories, _SALT).T.astype(">u4"))
    digits = _HEX[hashes.view(np.uint8)].view(np.uint8)
    cells[:, :, :8] = digits.reshape(n_rows, n_categories, 8)
    used[:] = True
    used[:, _WITH_GAPS, :8] = (categories[_WITH_GAPS].T != 1)[:, :, None]
    cells[:, :, 8] = _TAB
    text[:, -1] = _NEWLINE
    return lambda n: text[:n][is_used[:n]].tobytes()
