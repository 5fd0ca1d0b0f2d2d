"""GridSearchCV on joblib's threads: bytes put, time and memory with blocks shared and without.

Each side runs in a process of its own, on the same data, candidates (of C), folds and threads:
``alone`` puts the blocks of every fit, ``shared`` each row once, ``dataset`` the blocks of X
once, before the search (``load_seconds``). ``peak`` is how much more memory this process had
at most in the search than before it, in multiples of X.

    python benchmarks/threaded_search.py
    python benchmarks/threaded_search.py --data clicks --rows 100000
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from machine import describe_machine, print_report, quantiles, say
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from cirrus_runtime.store import FolderStore
from sklearn_cirrus import CirrusLogisticRegression, Dataset, _place
from sklearn_cirrus.datasets import make_clicks

SIDES = ("alone", "shared", "dataset")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=("clicks", "dense"), default="dense")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=30, help="columns; of clicks: 2**18")
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="of each fit")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def load(options):
    """Return X and y."""
    if options.data == "clicks":
        return make_clicks(options.rows, n_features=1 << 18, random_state=0)
    random = np.random.default_rng(0)
    X = random.normal(size=(options.rows, options.features)).astype(np.float32)
    margins = X @ random.normal(size=options.features)
    return X, (margins + random.logistic(size=options.rows) > 0).astype(int)


def nbytes(X):
    """Return the bytes of X."""
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if sparse.issparse(X) else X.nbytes


def memory(name):
    """Return VmRSS or VmHWM of this process in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024


class Puts:
    """Counts what this process puts into stores on this machine."""

    def __init__(self):
        self.n = self.nbytes = 0
        put = FolderStore.put

        def count(store, name, data):
            pieces = data if isinstance(data, list) else [data]
            self.n += 1
            self.nbytes += sum(memoryview(piece).nbytes for piece in pieces)
            put(store, name, data)

        FolderStore.put = count


def run_side(options):
    """Search on one side; print what it took as JSON."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.side == "alone":
        _place.is_shared_here = lambda: False
    X, y = load(options)
    size = nbytes(X)
    clf = CirrusLogisticRegression(
        backend="local", n_workers=options.workers, max_iter=options.epochs, tol=None
    )
    clf.fit(X, y)  # starts server and workers
    puts, begin = Puts(), time.perf_counter()
    if options.side == "dataset":
        X = Dataset.from_arrays(X, y)
    report = {"x_bytes": size, "load_seconds": time.perf_counter() - begin}
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, begin = memory("VmRSS"), time.perf_counter()
    cv = StratifiedKFold(options.splits, shuffle=True, random_state=0)
    grid = {"C": np.logspace(-4, 1, options.candidates).tolist()}
    with joblib.parallel_config("threading", n_jobs=options.threads):
        made = GridSearchCV(
            *(clf, grid), cv=cv, scoring="neg_log_loss", refit=False, error_score="raise"
        ).fit(X, y)
    report["seconds"] = time.perf_counter() - begin
    report["peak"] = (memory("VmHWM") - before) / size
    report |= {"objects": puts.n, "bytes": puts.nbytes}
    report["best_loss"] = -float(made.cv_results_["mean_test_score"].max())
    print(json.dumps(report))


def measure(side):
    """Return what a process of its own says of one side."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
    return json.loads(done.stdout)


def main():
    options = parse()
    if options.side:
        run_side(options)
        return
    machine = describe_machine()
    found = {side: [] for side in SIDES}
    for _ in range(options.repeats):  # in turn: what else the machine does befalls all alike
        for side in SIDES:
            found[side].append(measure(side))
    results = {}
    for side, reports in found.items():
        spread = ("seconds", "load_seconds", "peak")
        results[side] = {name: quantiles([r[name] for r in reports]) for name in spread}
        results[side] |= {name: v for name, v in reports[-1].items() if name not in spread}
        say(
            f"{side}: {results[side]['seconds']['median']:.2f} s, "
            f"{results[side]['bytes'] / 1e6:.1f} MB in {results[side]['objects']} objects, "
            f"peak {results[side]['peak']['median']:.1f} times X"
        )
    print_report("threaded_search", machine, vars(options), results)


if __name__ == "__main__":
    main()
