"""One call of a function that is not ours: what it returns or raises, and what it says."""

import io
import os
import time
import traceback
import warnings
from contextlib import ExitStack, redirect_stderr, redirect_stdout

_MOST_BYTES = 64 << 10  # that are kept of each stream, and of a traceback
_MOST_WARNINGS = 100
VARIABLE = "CIRRUS_TASK"  # set while a task runs: what is fitted inside stays inside


class Tail(io.RawIOBase):
    """A stream that keeps the end of what is written to it."""

    def __init__(self):
        self._kept = bytearray()
        self._length = 0

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self._length += len(data)
        self._kept += data[-_MOST_BYTES:]
        if len(self._kept) > 2 * _MOST_BYTES:  # cut now and then, not at every byte
            del self._kept[:-_MOST_BYTES]
        return len(data)

    def read_text(self):
        """Return the end of it as text; a line says how much is missing before."""
        kept = bytes(self._kept[-_MOST_BYTES:])
        text = kept.decode(errors="replace")
        missing = self._length - len(kept)
        return f"[{missing:,} bytes before this are not kept]\n{text}" if missing else text


class Said:
    """What a call has said.

    Attributes
    ----------
    value : object
        What it returned; None if it raised.
    error : BaseException or None
    warnings : list of list
        Module and name of the category, text, file and line of each; equal ones once.
    stdout, stderr : str
    seconds : float
    """

    def __init__(self):
        self.value = self.error = None
        self.warnings = []
        self.stdout = self.stderr = ""
        self.seconds = 0.0

    def note(self, message, category, filename, lineno, file=None, line=None):
        """Take the place of ``warnings.showwarning``."""
        warning = [category.__module__, category.__qualname__, *map(plain, (message, filename))]
        warning.append(lineno)
        if len(self.warnings) < _MOST_WARNINGS and warning not in self.warnings:
            self.warnings.append(warning)


def perform(call, name, threads=None):
    """Call a function without arguments.

    Warnings are noted whatever the filters of this process are: those of the client decide which
    of them are shown.

    Parameters
    ----------
    call : callable
    name : str
        Of the task; the function finds it in the environment variable ``CIRRUS_TASK``.
    threads : int, optional
        How many threads BLAS and OpenMP may use.

    Returns
    -------
    Said
    """
    said, out, err = Said(), Tail(), Tail()
    with ExitStack() as ends:
        ends.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always")
        warnings.showwarning = said.note
        ends.enter_context(redirect_stdout(_text_stream(out)))
        ends.enter_context(redirect_stderr(_text_stream(err)))
        if threads is not None:
            ends.enter_context(_limit(threads))
        os.environ[VARIABLE] = name
        ends.callback(os.environ.pop, VARIABLE, None)
        begin = time.perf_counter()
        try:
            said.value = call()
        except BaseException as error:  # SystemExit and the like are results here
            said.error = error
        said.seconds = time.perf_counter() - begin
    said.stdout, said.stderr = out.read_text(), err.read_text()
    return said


def describe(error):
    """Return type, message and traceback of an exception as texts.

    The traceback begins where the task does.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": plain(error),
        "traceback": plain(text[-_MOST_BYTES:]),
    }


def plain(thing):
    """Return the text of a thing, such that every JSON and every console takes it."""
    try:
        text = str(thing)
    except Exception as error:  # a __str__ that is not ours
        text = f"<{type(thing).__name__} without a text: {type(error).__name__}>"
    return text.encode(errors="backslashreplace").decode()


def _text_stream(tail):
    """Return a stream of text, like standard output, on one of bytes."""
    return io.TextIOWrapper(tail, "utf-8", errors="backslashreplace", write_through=True)


def _limit(threads):
    """Return what limits the threads of BLAS and OpenMP while it is entered."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # then there is nothing here that would need it
        return ExitStack()
    return threadpool_limits(threads)
