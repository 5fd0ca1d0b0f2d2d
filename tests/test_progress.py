"""Lines of progress: in a terminal, in a notebook, in a log."""

import fcntl
import io
import os
import pty
import struct
import sys
import termios
import threading

import numpy as np
import pytest

from sklearn_cirrus import _bar
from sklearn_cirrus._bar import Bar
from sklearn_cirrus._cost import dollars
from sklearn_cirrus._progress import Progress
from sklearn_cirrus.datasets import load_ratings
from sklearn_cirrus.model_selection import CirrusSearchCV

from .small_fits import draw_small, small_model


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def data():
    return draw_small()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("backend", ["inline", "local"])
def test_a_log_gets_whole_lines_on_stderr(data, backend, capfd):
    small_model(backend=backend).fit(*data)
    assert capfd.readouterr() == ("", "")
    small_model(backend=backend, verbose=1, early_stopping=True).fit(*data)
    out, err = capfd.readouterr()
    first, *_, last = err.splitlines()
    assert out == "" and "\r" not in err and len(err.splitlines()) == 2
    assert first.startswith("CirrusLogisticRegression:   0% epoch 0.0/5 ")
    assert last.startswith("CirrusLogisticRegression: 100% epoch 5.0/5 ")
    for word in (", loss 0.", ", held-out 0.", " rows/s, ", ", 1 worker, $0]"):
        assert word in last


def test_lines_of_a_log_become_rarer(capsys):
    clock = Clock()
    bar = Bar("fit", 86_400, "{n:.0f}/{total:.0f} s", clock)
    for second in range(1, 86_401):
        clock.now = float(second)
        bar.show(second)
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    times = [int(line.split("% ")[1].split("/")[0]) for line in lines]
    gaps = np.diff(times)
    assert times[:4] == [0, 10, 20, 30] and times[-1] == 86_400
    assert 10 <= gaps[:-1].min() and gaps.max() == 600
    assert len(lines) < 200


def test_it_goes_on_beyond_its_total(capsys):
    bar = Bar("fit", 2, "epoch {n:.1f}/{total:.0f}")
    bar.show(3, "late")
    bar.close()
    assert "100% epoch 3.0/3 [" in capsys.readouterr().err.splitlines()[-1]


def test_a_failure_leaves_the_line_where_it_was(capsys):
    entry = {"epoch": 3, "rows": 10, "train_loss": 0.5, "workers": 2}
    with pytest.raises(KeyboardInterrupt), Progress(1, 10, 12, "fit", lambda: 0.25) as progress:
        progress(0, entry)
        raise KeyboardInterrupt
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fit:  25% epoch 3.0/12 [") and last.endswith(" 2 workers, $0.2500]")


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_a_log_that_is_gone_ends_no_fit(data, error, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise error("nobody reads this")

    monkeypatch.setattr(sys, "stderr", Gone())
    assert small_model(verbose=1, max_iter=40, tol=1e-4).fit(*data).n_iter_ > 1
    monkeypatch.setattr(sys, "stderr", None)
    assert small_model(verbose=1, max_iter=40, tol=1e-4).fit(*data).n_iter_ > 1


@pytest.mark.parametrize("amount, text", [(0.0, "$0"), (0.00123, "$0.0012"), (1234.5, "$1,234.50")])
def test_dollars(amount, text):
    assert dollars(amount) == text
    assert dollars(float("nan")) == "unknown"


def in_terminal(columns, monkeypatch):
    """Show a thousand steps in a terminal; return what it gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    got = []
    reader = threading.Thread(target=lambda: got.extend(iter(lambda: _read(ours), b"")))
    reader.start()
    with open(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        bar = Bar("CirrusLogisticRegression", 100, "epoch {n:.1f}/{total:.0f}")
        for i in range(1, 1001):
            bar.show(i / 10, "loss 0.2375, held-out 0.2475, 68,124 rows/s, 2 workers, $0.0012")
        bar.close()
    reader.join(20)
    os.close(ours)
    return b"".join(got).decode()


def _read(descriptor):
    """Read what is there, or nothing at the end."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # how Linux says that nobody is at the other end
        return b""


@pytest.mark.parametrize("columns", [100, 160])
def test_a_terminal_gets_one_line_that_fits(columns, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = in_terminal(columns, monkeypatch)
    drawn = text.rstrip("\r\n").split("\r")
    assert text.count("\n") == 1 and 2 <= len(drawn) < 300  # ten a second at most
    assert max(map(len, drawn)) <= columns
    assert "100%" in drawn[-1] and drawn[-1].rstrip().endswith("2 workers, $0.0012]")
    assert ("█" in drawn[-1]) == (columns == 160)


def test_a_dumb_terminal_is_a_log(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = in_terminal(160, monkeypatch)
    assert text.replace("\r\n", "").count("\r") == 0 and text.count("\n") == 2


def test_a_notebook_without_widgets_is_drawn_anew(monkeypatch):
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Bar("fit", 2, "{n:.0f}/{total:.0f}")
    bar.show(2)
    bar.close()
    assert stream.getvalue().count("\r") >= 2 and stream.getvalue().count("\n") == 1


def test_widgets_are_used_where_there_are_any(monkeypatch):
    widget = type("tqdm", (), {"__module__": "tqdm.notebook"})
    monkeypatch.setattr(_bar, "tqdm", widget)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert _bar.redraws()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_shows_one_line_for_all_candidates(data, capsys):
    grid = {"C": [0.1, 1.0]}
    CirrusSearchCV(small_model(), grid, cv=2, refit=False, verbose=1).fit(*data)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[-1].startswith("CirrusSearchCV: 100% epoch 5.0/5 [")
    assert ", held-out 0." in lines[-1]


def test_reading_ratings_shows_how_far_it_is(tmp_path, capsys):
    path = tmp_path / "stars.csv"
    lines = (f"{i},{i % 7},{i % 5 + 1}\n" for i in range(10_000))
    path.write_text("userId,movieId,rating\n" + "".join(lines))
    quiet = load_ratings(path)[0]
    assert capsys.readouterr().err == ""
    assert (load_ratings(path, verbose=1)[0] != quiet).nnz == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("reading stars.csv: 100% 0.1/0.1 MiB [") and "8,192 lines]" in last
    with path.open("a") as file:
        file.write("1,2,many\n")
    with pytest.raises(ValueError, match="line 10002"):
        load_ratings(path, verbose=1)
    assert ": 100%" not in capsys.readouterr().err


def test_no_thread_is_started(monkeypatch):
    before = threading.active_count()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(_bar, "redraws", lambda: True)
    bar = Bar("fit", 2, "{n:.0f}/{total:.0f}")
    bar.show(1)
    assert threading.active_count() == before
    bar.close()
