"""What of the kernels' speed a whole fit keeps; one worker and more; with prefetching and without.

``kernels`` is the speed of one core that does nothing but the arithmetic: the C kernels number the
columns of a minibatch, compute its gradient and update the model, in this process, without server,
store or worker. The fits go over blocks and minibatches of the same sizes. ``share`` is their rows
a second for each worker, over that. A server is a process besides: with as many workers as cores,
its time is taken from theirs.

The fits take turns. Without ``--buffer-mib`` blocks stay in the workers' memory after the first
epoch; at 0 they are read anew in every epoch, so that there is something to load ahead.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --workers 1 2 4 --buffer-mib 0
"""

import argparse
import itertools
import time
import warnings

import numpy as np
from machine import describe_machine, print_report, quantiles, say
from sklearn.exceptions import ConvergenceWarning

from cirrus_runtime.engines import InlineEngine
from cirrus_runtime.logistic import LogisticKernel
from cirrus_runtime.server import ModelSpec, ParameterServer
from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus._ingest import count_blocks, make_blocks
from sklearn_cirrus.datasets import make_clicks

MIB = 2**20


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3, help="of each fit")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--buffer-mib", type=float, default=256, help="of a worker, for blocks")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def kernel_speed(X, y, options):
    """Return rows a second of one core that goes over the data once, minibatch by minibatch."""
    rows = np.random.default_rng(options.seed).permutation(len(y)).astype(np.int64)
    n_blocks = count_blocks(X, len(y), max(options.workers), 8 * MIB)
    model = ParameterServer(InlineEngine(), "model")
    model.create(ModelSpec(X.shape[1] + 1, 1, "adagrad", penalized=X.shape[1], l2=1 / len(y)))
    kernel = LogisticKernel(X.shape[1], 1, True)
    seconds = 0.0
    for block in make_blocks(X, y.astype(np.float32), None, rows, n_blocks):
        order = np.random.default_rng(0).permutation(block.n_rows).astype(np.uint32)
        start = time.perf_counter()
        kernel.open(block, order, options.batch_size)
        last = None
        for first in range(0, block.n_rows, options.batch_size):
            end = min(first + options.batch_size, block.n_rows)
            ids = kernel.localize(first, end)
            weights = model.pull(ids) if last is None else model.step(*last, 0.1, ids)
            _, gradient = kernel.gradient(weights)
            last = ids, gradient
        model.push(*last, 0.1)
        seconds += time.perf_counter() - start
    return len(y) / seconds


def fit(X, y, workers, prefetch, options):
    """Fit whole; return rows a second, of the whole fit and of the epochs after the first."""
    model = CirrusLogisticRegression(
        batch_size=options.batch_size,
        max_iter=options.epochs,
        tol=None,
        random_state=options.seed,
    )
    places = {"n_workers": workers, "prefetch": prefetch}
    places["buffer_bytes"] = int(options.buffer_mib * MIB)
    with warnings.catch_warnings(), config_context(backend="local", **places):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    first, *others = model.history_
    later = others[-1]["seconds"] - first["seconds"] if others else float("nan")
    return {
        "whole_fit": len(y) * options.epochs / seconds,
        "later_epochs": len(y) * len(others) / later,
        "stall_seconds": sum(entry["stall_seconds"] for entry in model.history_) / workers,
    }


def main():
    options = parse()
    machine = describe_machine()
    X, y = make_clicks(options.rows, n_features=2**options.bits, random_state=options.seed)
    cases = list(itertools.product(options.workers, (True, False)))
    fit(X[:50_000], y[:50_000], max(options.workers), True, options)  # starts server and workers
    kernels, fits = [], {case: [] for case in cases}
    for _ in range(options.repeats):
        kernels.append(kernel_speed(X, y, options))
        for case in cases:
            fits[case].append(fit(X, y, *case, options))
    speed = quantiles(kernels)
    say(f"kernels: {speed['median']:.0f} rows/s")
    results = {"kernels": speed, "fits": []}
    base = None
    for (workers, prefetch), entries in fits.items():
        spread = {key: quantiles([entry[key] for entry in entries]) for key in entries[0]}
        rates = {key: spread[key]["median"] for key in ("whole_fit", "later_epochs")}
        base = base or rates
        result = {
            "workers": workers,
            "prefetch": prefetch,
            "rows_per_second": spread,
            "share": {key: rate / workers / speed["median"] for key, rate in rates.items()},
            "over_first": {key: rate / base[key] for key, rate in rates.items()},
        }
        result["stall_seconds"] = result["rows_per_second"].pop("stall_seconds")
        results["fits"].append(result)
        share, times = result["share"], result["over_first"]
        say(
            f"{workers} workers, prefetch {prefetch}: "
            + ", ".join(
                f"{key} {rates[key]:.0f} rows/s ({100 * share[key]:.0f} % of the kernels for each"
                f" worker, {times[key]:.2f} of the first)"
                for key in rates
            )
        )
    print_report("scaling", machine, vars(options), results)


if __name__ == "__main__":
    main()
