"""One line that tells how far something is, in whatever shows it.

A terminal and a notebook get tqdm's bar, which is drawn anew in place. A file, a pipe or a CI's log
would keep every carriage return, so it gets whole lines, and few of them: one at the beginning and
one at the end, and in between one after ten seconds at the earliest, later one whenever a tenth of
the time so far has passed again, but one every ten minutes.
"""

import os
import sys
import time
import warnings

from tqdm import TqdmWarning
from tqdm.std import tqdm as terminal_tqdm

with warnings.catch_warnings():  # of a notebook without ipywidgets, where a line of text will do
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

_SHORTEST, _LONGEST = 10.0, 600.0  # seconds between two lines of a log
_SHARE = 0.1  # of the time so far
_WIDE = 120  # columns of a terminal that has room for a label and a bar as well as words


class Bar:
    """A bar in a terminal or notebook, lines in a log; both on standard error.

    Parameters
    ----------
    label : str
    total : float
        What :meth:`show` counts to; it grows if that goes on beyond it.
    counter : str
        Names ``n`` and ``total``, as for :func:`str.format`: ``"epoch {n:.1f}/{total:.0f}"``.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, label, total, counter, clock=time.monotonic):
        self._clock = clock
        self._label = label
        self._n, self._total, self._words = 0.0, float(total), ""
        self._began, self._bar = clock(), None
        self._text = f"{{percentage:3.0f}}% {counter} [{{elapsed}}<{{remaining}}{{postfix}}]"
        if not redraws():
            self._print()
            return
        text = "{desc}: " + self._text.replace("% ", "%|{bar}| ", 1)
        self._bar = _Redrawn(total=self._total, desc=label, miniters=0, bar_format=text)
        width = getattr(self._bar, "ncols", None)
        if isinstance(width, int) and 0 < width < _WIDE:
            self._bar.bar_format = self._text

    def show(self, n, words=""):
        """Show that ``n`` are done, and some words on how it stands."""
        self._n = float(n)
        self._total = max(self._total, self._n)
        self._words = words or self._words
        if self._bar is None:
            elapsed = self._clock() - self._began
            if self._clock() >= self._next:
                self._print(elapsed)
            return
        self._bar.n, self._bar.total = self._n, self._total
        self._bar.set_postfix_str(self._words, refresh=False)
        self._bar.update(0)  # draws, unless it has just done so

    def close(self, is_done=True):
        """Leave the last line as it is now; what was done sooner than expected is done."""
        if is_done and self._n:
            self._total = self._n  # else a notebook's bar would turn red
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.close()
        elif self._n:
            self._print(self._clock() - self._began)

    def _print(self, elapsed=0.0):
        """Write a line, and say when the next may come."""
        line = terminal_tqdm.format_meter(
            *(self._n, self._total, elapsed),
            prefix=self._label,
            postfix=self._words,
            bar_format="{desc}: " + self._text,
        )
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or nobody reads it any more: no reason to end a fit
        wait = min(_LONGEST, max(_SHORTEST, _SHARE * elapsed))
        self._next = self._clock() + wait


class _Redrawn(tqdm):
    monitor_interval = 0  # its thread mends a pace that tqdm guesses: here it guesses none


def redraws():
    """Return whether this process shows a line that is drawn anew in place."""
    if any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__):
        return True
    if sys.stderr is None:  # as under pythonw
        return False
    # A notebook without widgets is no terminal, but follows a carriage return.
    is_notebook = type(sys.stderr).__module__.partition(".")[0] == "ipykernel"
    return is_notebook or (sys.stderr.isatty() and os.environ.get("TERM") != "dumb")
