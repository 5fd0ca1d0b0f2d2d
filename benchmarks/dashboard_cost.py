"""What a fit pays for being seen: its journal, the dashboard, and a page that is open.

The same fit on clicks, in turns: without a journal; with one; with the dashboard of this process
that nobody looks at; and with a page that reads the stream of events, in a process of its own.
Differences are those of the fits of one turn, so that what the machine does meanwhile falls on all.

    python benchmarks/dashboard_cost.py
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import warnings

from machine import describe_machine, print_report, quantiles, say
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.dashboard import start_dashboard
from sklearn_cirrus.datasets import make_clicks

SIDES = ("nothing", "journal", "dashboard", "page")
# Reads what comes until it is ended, and says first that it is connected.
_PAGE = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "events", timeout=60) as stream:
    print("open", flush=True)
    for line in stream:
        pass
"""


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=1 << 20)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    return parser.parse_args(arguments)


@contextlib.contextmanager
def open_page(url):
    """Have a process that reads the dashboard's events."""
    page = subprocess.Popen([sys.executable, "-c", _PAGE, url], stdout=subprocess.PIPE, text=True)
    try:
        if page.stdout.readline() != "open\n":
            raise RuntimeError("the page does not open")
        yield
    finally:
        page.kill()
        page.communicate()


def fit(side, folder, X, y, options):
    """Fit once; return the seconds of the fit, and those of this process on the processor."""
    model = CirrusLogisticRegression(
        max_iter=options.epochs, tol=None, n_workers=options.workers, random_state=0
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", ConvergenceWarning)
        journal = "off" if side == "nothing" else folder
        stack.enter_context(config_context(backend="local", journal=journal))
        if side in ("dashboard", "page"):
            dashboard = stack.enter_context(start_dashboard(folder))
        if side == "page":
            stack.enter_context(open_page(dashboard.url))
        start, processor = time.perf_counter(), time.process_time()
        model.fit(X, y)
        return time.perf_counter() - start, time.process_time() - processor


def main():
    options = parse()
    machine = describe_machine()
    X, y = make_clicks(options.rows, n_features=options.features, random_state=0)
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        fit("nothing", folder, X, y, options)  # starts the workers and the server
        for turn in range(options.repeats):
            order = SIDES if turn % 2 else SIDES[::-1]
            turns.append({side: fit(side, folder, X, y, options) for side in order})
    results = {}
    for side in SIDES:
        results[side] = {"seconds": quantiles([turn[side][0] for turn in turns])}
        for i, name in enumerate(("more_seconds", "more_processor_seconds")):
            more = [turn[side][i] - turn["nothing"][i] for turn in turns]
            results[side][name] = quantiles(more)
        say(
            f"{side}: {results[side]['seconds']['median']:.3f} s, "
            f"{1e3 * results[side]['more_seconds']['median']:+.1f} ms, on the processor "
            f"{1e3 * results[side]['more_processor_seconds']['median']:+.1f} ms"
        )
    print_report("dashboard_cost", machine, vars(options), results)


if __name__ == "__main__":
    main()
