"""What each stage of one whole ``fit`` costs, at the client and at the workers, on clicks.

The client's stages are read by Python's profiler, which slows its thread a little: the fits that
are profiled take turns with fits that are not, and both are told. The workers' stages are what
they report with every lease, from ``history_``; their clocks cost four readings a minibatch, which
are measured here as well. Client and workers run side by side, so their shares do not add up.

    python benchmarks/fit_stages.py
    python benchmarks/fit_stages.py --epochs 5 --model '{"batch_size": 20}'
"""

import argparse
import cProfile
import json
import statistics
import time
import timeit
import warnings

from machine import describe_machine, print_report, quantiles, say
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.datasets import make_clicks

# Functions of the client, by the end of their file's name; none of a stage calls another of it.
CLIENT = {
    "validate": [("sklearn_cirrus/_linear_classifier.py", "_validate")],
    "shuffle": [("sklearn_cirrus/_logistic_fit.py", "_split")],
    "columns": [("sklearn_cirrus/_columns.py", "of")],
    "rates": [("sklearn_cirrus/_rates.py", "choose_rates")],
    "open": [("sklearn_cirrus/_place.py", "open_place"), ("sklearn_cirrus/_place.py", "put_up")],
    "create": [("sklearn_cirrus/_recovery.py", "create")],
    "start workers": [("sklearn_cirrus/_crew.py", "start")],
    "cut": [("sklearn_cirrus/_ingest.py", "cut")],
    "encode": [("cirrus_runtime/blocks.py", "encode_block")],
    "write": [("cirrus_runtime/store.py", "put")],
    "offer": [("cirrus_runtime/board_redis.py", "offer")],
    "wait for reports": [("cirrus_runtime/board_redis.py", "collect")],
    "read weights": [("cirrus_runtime/server.py", "dump")],
    "clean up": [("sklearn_cirrus/_trainer.py", "_clean_up")],
}
WORKERS = ("localize", "compute", "server", "load", "stall", "wait")
READINGS = 4  # of the clock, a minibatch


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--model", type=json.loads, default={}, metavar="JSON",
        help="parameters of CirrusLogisticRegression",
    )  # fmt: skip
    return parser.parse_args(arguments)


def fit(X, y, options, profile=None):
    """Fit whole; return the seconds and the model."""
    settings = {"max_iter": options.epochs, "tol": None, "random_state": options.seed}
    model = CirrusLogisticRegression(**settings | options.model)
    with warnings.catch_warnings(), config_context(backend="local", n_workers=options.workers):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        if profile is None:
            model.fit(X, y)
        else:
            profile.runcall(model.fit, X, y)
        return time.perf_counter() - start, model


def client_stages(profile):
    """Return the seconds of each stage of the client's thread.

    Raises
    ------
    LookupError
        If a function of a stage was not called: the table above is out of date.
    """
    seconds = {}
    for entry in profile.getstats():
        if not isinstance(entry.code, str):  # else a builtin
            key = entry.code.co_filename, entry.code.co_name
            seconds[key] = seconds.get(key, 0.0) + entry.totaltime
    stages = {}
    for stage, functions in CLIENT.items():
        stages[stage] = 0.0
        for file, name in functions:
            found = [s for (path, called), s in seconds.items()
                     if called == name and path.endswith(file)]  # fmt: skip
            if not found:
                raise LookupError(f"stage {stage!r}: {file} has no {name} that was called")
            stages[stage] += sum(found)
    return stages


def worker_stages(history):
    """Return the seconds of each stage of a worker, the mean of the workers."""
    workers = max(entry["workers"] for entry in history)
    stages = {
        name: sum(entry[f"{name}_seconds"] for entry in history) / workers for name in WORKERS
    }
    stages["wait for a lease"] = stages.pop("wait") - stages["stall"]
    stages["wait for a block"] = stages.pop("stall")
    updates = sum(entry["updates"] for entry in history) / workers
    return stages | {"the clocks": READINGS * clock_seconds() * updates}


def clock_seconds():
    """Return the seconds that one reading of the clock takes."""
    return min(timeit.repeat(time.perf_counter, number=100_000, repeat=5)) / 100_000


def with_shares(fits, whole):
    """Return median seconds of each stage, and its share of the whole fit."""
    table = {}
    for stage in fits[0]:
        seconds = statistics.median(stages[stage] for stages in fits)
        table[stage] = {"seconds": seconds, "share": seconds / whole}
    return table


def main():
    options = parse()
    machine = describe_machine()
    X, y = make_clicks(options.rows, n_features=2**options.bits, random_state=options.seed)
    cold, _ = fit(X, y, options)
    plain, profiled, client, workers = [], [], [], []
    for _ in range(options.repeats):
        seconds, model = fit(X, y, options)
        plain.append(seconds)
        workers.append(worker_stages(model.history_))
        profile = cProfile.Profile()
        seconds, _ = fit(X, y, options, profile)
        profiled.append(seconds)
        client.append(client_stages(profile))
        client[-1]["labels, all else"] = seconds - sum(client[-1].values())
        # Blocks are loaded on a thread of their own: that is no part of a worker's time.
        busy = sum(s for stage, s in workers[-1].items() if stage not in ("load", "the clocks"))
        workers[-1]["all else, and before and after the leases"] = plain[-1] - busy
    results = {
        "cold_seconds": cold,
        "seconds": quantiles(plain),
        "profiled_seconds": quantiles(profiled),
        "clock_nanoseconds": 1e9 * clock_seconds(),
        "client": with_shares(client, statistics.median(profiled)),
        "each_worker": with_shares(workers, statistics.median(plain)),
    }
    for side in ("client", "each_worker"):
        say(f"{side}:")
        for stage, entry in results[side].items():
            say(f"  {stage:44} {entry['seconds']:8.4f} s {100 * entry['share']:6.1f} %")
    print_report("fit_stages", machine, vars(options), results)


if __name__ == "__main__":
    main()
