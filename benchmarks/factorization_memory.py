"""Memory and time of a whole matrix factorization ``fit`` at the size of the Netflix prize.

Draws its X, fits a little of it (so that libraries, server and workers are there), and then reads
from /proc how far the resident memory of itself, of its workers and of its server rises during the
fit. Only Linux tells the peak of a process. ``client_over_X`` is (X + rise of the client) / X. The
blocks, about as large as X, lie in a folder, which may be in memory as well.

    python benchmarks/factorization_memory.py
    python benchmarks/factorization_memory.py --users 144057 --ratings 30000000
"""

import argparse
import ctypes
import time
import warnings

import psutil
from fit_memory import MIB, Peak, size, worker_pids
from machine import describe_machine, print_report, say
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.datasets import make_ratings


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=480_189)
    parser.add_argument("--items", type=int, default=17_770)
    parser.add_argument("--ratings", type=int, default=100_000_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def server_pids():
    """Return the process ids of the servers that this process has started."""
    servers = ("redis-server", "valkey-server")
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if child.name() in servers]


def main():
    options = parse()
    machine = describe_machine()
    start = time.perf_counter()
    X = make_ratings(options.users, options.items, options.ratings, random_state=options.seed)
    say(f"drawn in {time.perf_counter() - start:.0f} s: X {size(X) / MIB:.0f} MiB")
    model = CirrusMatrixFactorization(
        alpha=options.alpha, max_iter=options.epochs, tol=None, n_workers=options.workers,
        backend="local", random_state=options.seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[: max(10, options.users // 50)])
        ctypes.CDLL(None).malloc_trim(0)  # what the heap still held would hide as much of the rise
        client = Peak("self")
        workers = [Peak(pid) for pid in worker_pids()]
        servers = [Peak(pid) for pid in server_pids()]
        start = time.perf_counter()
        model.fit(X)
        seconds = time.perf_counter() - start
    results = {
        "seconds": seconds,
        "X_mib": size(X) / MIB,
        "client_rise_mib": client.rise() / MIB,
        "client_peak_mib": client.total() / MIB,
        "client_over_X": (size(X) + client.rise()) / size(X),
        "worker_peak_mib": [peak.total() / MIB for peak in workers],
        "server_peak_mib": [peak.total() / MIB for peak in servers],
        "history": model.history_,
    }
    results["training_rmse_of_some"] = -model.score(X[: max(10, options.users // 50)])
    say(
        f"{options.ratings} ratings in {seconds:.0f} s; client {results['client_over_X']:.2f} of X,"
        f" workers {[round(mib) for mib in results['worker_peak_mib']]} MiB"
    )
    print_report("factorization_memory", machine, vars(options), results)


if __name__ == "__main__":
    main()
