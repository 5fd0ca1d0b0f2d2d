"""Memory of a whole ``fit``: the client's beside that of X, a worker's beside its buffer.

Each case runs in a fresh process that draws its X, fits a little of it (so that libraries, server
and workers are there), and then reads from /proc how far the resident memory of itself and of its
workers rises above where it stood before the fit. Only Linux tells the peak of a process.

``client_over_X`` is (X + rise of the client) / X. ``allowed`` of a worker is its buffer, four
blocks (one computed on, one ready, one being loaded, and one more before the buffer lets go of
another), and 8 bytes for each column; blocks are counted as large as X would make them.

    python benchmarks/fit_memory.py
    python benchmarks/fit_memory.py --rows 5000000 --cases ones-float32
"""

import argparse
import ctypes
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
from machine import describe_machine, print_report, say
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.datasets import make_clicks

MIB = 2**20
COLUMNS = 39  # of dense data: as many as a click has entries
CASES = tuple(
    f"{kind}-{dtype}" for kind in ("ones", "values", "dense") for dtype in ("float32", "float64")
)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns of sparse data")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--backend", choices=("local", "inline"), default="local")
    parser.add_argument("--buffer-mib", type=float, default=64, help="of a worker")
    parser.add_argument("--block-mib", type=float, default=8, help="at most")
    parser.add_argument("--weighted", action="store_true", help="with row weights")
    parser.add_argument(
        "--model", type=json.loads, default={}, metavar="JSON",
        help="parameters of CirrusLogisticRegression",
    )  # fmt: skip
    parser.add_argument("--child", nargs=2, metavar=("CASE", "ROWS"), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def draw(case, rows, bits):
    """Return X and y of a case."""
    kind, dtype = case.split("-")
    random = np.random.default_rng(0)
    if kind == "dense":
        X = random.standard_normal((rows, COLUMNS), dtype)
        return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)
    X, y = make_clicks(rows, n_features=2**bits, random_state=0)
    if kind == "values":
        X.data[:] = random.standard_exponential(X.nnz, np.float32)
    return X.astype(dtype, copy=False), y


def size(X):
    """Return the bytes of a matrix."""
    return sum(a.nbytes for a in (X.data, X.indices, X.indptr)) if sparse.issparse(X) else X.nbytes


def fit(X, y, options):
    """Fit whole; return the seconds."""
    weights = np.random.default_rng(1).random(len(y)) + 0.5 if options.weighted else None
    settings = {"max_iter": options.epochs, "tol": None, "random_state": 0} | options.model
    model = CirrusLogisticRegression(**settings)
    places = {"backend": options.backend, "buffer_bytes": int(options.buffer_mib * MIB)}
    if options.backend == "local":
        places["n_workers"] = options.workers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with config_context(block_bytes=int(options.block_mib * MIB), **places):
            start = time.perf_counter()
            model.fit(X, y, weights)
            return time.perf_counter() - start


class Peak:
    """How far the resident memory of a process rises from now on."""

    def __init__(self, pid):
        self._folder = Path(f"/proc/{pid}")
        (self._folder / "clear_refs").write_text("5")  # the peak begins anew
        self._before = self._read("VmRSS")

    def _read(self, name):
        lines = (self._folder / "status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])

    def rise(self):
        """Return the bytes by which the peak lies above the beginning."""
        return self._read("VmHWM") - self._before

    def total(self):
        """Return the peak."""
        return self._read("VmHWM")


def worker_pids():
    """Return the process ids of the workers of this process."""
    children = psutil.Process().children()
    return [child.pid for child in children if "cirrus_runtime.process" in child.cmdline()]


def measure(case, rows, options):
    """Fit in this process; return what it and its workers took."""
    X, y = draw(case, rows, options.bits)
    few = min(rows, max(10_000, rows // 50))
    fit(X[:few], y[:few], options)
    ctypes.CDLL(None).malloc_trim(0)  # what the heap still held would hide as much of the rise
    client = Peak("self")
    workers = [Peak(pid) for pid in worker_pids()]
    seconds = fit(X, y, options)
    nbytes = size(X)
    entries = X.nnz if sparse.issparse(X) else X.size
    block = min(options.block_mib * MIB, 8 * entries + 12 * rows)
    allowed = options.buffer_mib * MIB + 4 * block + 8 * X.shape[1]
    rises = [peak.rise() for peak in workers]
    return {
        "case": case,
        "rows": rows,
        "seconds": seconds,
        "X_mib": nbytes / MIB,
        "client_rise_mib": client.rise() / MIB,
        "client_peak_mib": client.total() / MIB,
        "client_over_X": (nbytes + client.rise()) / nbytes,
        "worker_rise_mib": [rise / MIB for rise in rises],
        "worker_peak_mib": [peak.total() / MIB for peak in workers],
        "worker_allowed_mib": allowed / MIB,
        "worker_over_allowed": max(rises, default=0) / allowed,
    }


def main():
    options = parse()
    if options.child:
        case, rows = options.child
        print(json.dumps(measure(case, int(rows), options)))
        return
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("fit_memory.py reads the peak of a process from /proc, which only Linux has")
    machine = describe_machine()
    results = []
    for rows in options.rows:
        for case in options.cases:
            command = [sys.executable, __file__, *sys.argv[1:], "--child", case, str(rows)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            results.append(json.loads(output))
            entry = results[-1]
            say(
                f"{case}, {rows} rows: X {entry['X_mib']:.0f} MiB, client"
                f" {entry['client_over_X']:.2f} of it, workers"
                f" {[round(rise) for rise in entry['worker_rise_mib']]} of"
                f" {entry['worker_allowed_mib']:.0f} MiB in {entry['seconds']:.1f} s"
            )
    print_report("fit_memory", machine, vars(options), results)


if __name__ == "__main__":
    main()
