"""Rows and updates a second with 1 to 1,000 workers, predicted from measured service times.

Every worker goes round: numbers the columns of a minibatch and computes its gradient on a core of
its own, and sends a STEP over the network to the server, whose one thread takes one STEP at a time.
That is a closed queueing network (``queueing.py``). Two things lie outside of it and bound it: the
first epoch cannot go faster than the client writes rows to the object store, and a worker that does
not keep its blocks in memory not faster than it reads them from there.

Service times of worker, server and client are measured here (``service_times.py``). Those that
this machine does not have are options, whose defaults are assumptions: round trip, the server's
network, the store, the client's network, and how much slower than a core of this machine a worker
on AWS Lambda is. The model is held to fits with 1 and 2 local workers first, with the round trip of
this machine in place of the network's.

    python benchmarks/scaling_model.py
    python benchmarks/scaling_model.py --round-trip-ms 1 --worker-slowdown 2
"""

import argparse
import warnings

import numpy as np
from cloud_model import SERVERS, advise, here, ingest_rows, predict
from machine import describe_machine, print_report, quantiles, say
from queueing import solve
from service_times import measure_client, measure_passes, measure_server, worker_times
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.datasets import make_clicks
from sklearn_cirrus.servers import open_servers


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--predict", type=int, nargs="+", default=[1, 2, 10, 100, 1000])
    parser.add_argument("--steps", type=int, default=5000, help="of a measurement of the server")
    parser.add_argument("--passes", type=int, default=5, help="of a worker over its block")
    parser.add_argument("--epochs", type=int, default=4, help="of the fits to hold the model to")
    parser.add_argument("--repeats", type=int, default=3, help="of these fits")
    parser.add_argument("--seed", type=int, default=0)
    assumed = parser.add_argument_group("assumed of the cloud")
    assumed.add_argument("--round-trip-ms", type=float, default=0.5)
    assumed.add_argument("--server-gbits", type=float, default=10.0, help="each way")
    assumed.add_argument("--worker-slowdown", type=float, default=1.0)
    assumed.add_argument("--worker-mbytes", type=float, default=60.0, help="a second, reading")
    assumed.add_argument("--store-ms", type=float, default=30.0, help="until the first byte")
    assumed.add_argument("--store-gets", type=float, default=5500.0, help="requests a second")
    assumed.add_argument("--block-mib", type=float, default=8.0)
    assumed.add_argument("--client-mbytes", type=float, default=100.0, help="a second, writing")
    options = parser.parse_args(arguments)
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the later ones are timed apart")
    return options


def fit_here(X, y, batch_size, workers, options):
    """Fit with local workers; return the updates a second of the epochs after the first."""
    model = CirrusLogisticRegression(
        C=np.inf,
        batch_size=batch_size,
        learning_rate=0.05,
        max_iter=options.epochs,
        tol=None,
        random_state=options.seed,
    )
    with warnings.catch_warnings(), config_context(backend="local", n_workers=workers):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    first, *others = model.history_
    seconds = others[-1]["seconds"] - first["seconds"]
    return sum(entry["updates"] for entry in others) / seconds


def measure_in_turns(client, block, X, y, options):
    """Measure workers alone, and fits of 1 and 2 workers, in turn: a busy moment falls on both.

    Returns
    -------
    workers : list of dict
        For each ``batch_size``: its ``ids``; ``together`` and ``apart``, what ``worker_times``
        returns of a worker and a server so placed.
    fits : dict of (int, int) to list of float
        Updates a second by size of minibatch and number of workers.
    """
    places = {"together": False, "apart": True}
    passes = {(size, place): [] for size in options.batch_sizes for place in places}
    fits = {(size, workers): [] for size in options.batch_sizes for workers in (1, 2)}
    for repeat in range(options.repeats):
        for (size, place), found in passes.items():
            seed = options.seed + repeat * options.passes
            found += measure_passes(
                *(client, block, X.shape[1], size, options.passes, seed, places[place])
            )
        for (size, workers), rates in fits.items():
            rates.append(fit_here(X, y, size, workers, options))
    workers = []
    for size in options.batch_sizes:
        times = {place: worker_times(passes[size, place]) for place in places}
        workers.append({"batch_size": size, "ids": times["apart"]["ids"], **times})
    return workers, fits


def validate(workers_times, fits):
    """Compare the model with the fits on this machine.

    One worker and the server never run at the same time, and Linux keeps them on one core; two
    workers spread.
    """
    results = []
    for times in workers_times:
        for workers, place in ((1, "together"), (2, "apart")):
            size = times["batch_size"]
            expected = solve(here(times[place]), workers)[-1].throughput
            rates = quantiles(fits[size, workers])
            error = expected / rates["median"] - 1
            results.append(
                {
                    "batch_size": size,
                    "workers": workers,
                    "predicted_updates_per_second": expected,
                    "measured_updates_per_second": rates,
                    "error": error,
                }
            )
            say(
                f"minibatches of {size}, {workers} workers here: predicted {expected:,.0f} "
                f"updates/s, measured {rates['median']:,.0f}: {error:+.0%}"
            )
    return results


def tell(predictions, advice):
    """Say what the model predicts."""
    for entry in predictions:
        if entry["servers"] > 1:
            continue
        say(f"minibatches of {entry['batch_size']}, one server:")
        for row in entry["table"]:
            say(
                f"  {row['workers']:5} workers {row['updates_per_second']:11,.0f} updates/s "
                f"{row['rows_per_second']:13,.0f} rows/s, efficiency {row['efficiency']:.2f}; "
                f"while reading {row['reading_rows_per_second']:13,.0f} rows/s "
                f"({row['reading_bound_by']})"
            )
    for sentence in advice:
        say(sentence)


def main():
    options = parse()
    machine = describe_machine()
    X, y = make_clicks(options.rows, n_features=2**options.bits, random_state=options.seed)
    per_row, block = measure_client(X, y, options.seed)
    with open_servers()[0].client() as client:
        line = measure_server(client, X.shape[1], options.steps, options.seed)
        workers, fits = measure_in_turns(client, block, X, y, options)
    times = {"client": per_row, "server": line, "workers": workers}
    validation = validate(workers, fits)
    predictions = [
        predict(times, worker, options, n_servers)
        for worker in times["workers"]
        for n_servers in SERVERS
    ]
    ingest = ingest_rows(times, options)
    advice = advise(predictions, ingest)
    tell(predictions, advice)
    results = {
        "service_times": times,
        "validation": validation,
        "predictions": predictions,
        "first_epoch": ingest,
        "advice": advice,
    }
    print_report("scaling_model", machine, vars(options), results)


if __name__ == "__main__":
    main()
