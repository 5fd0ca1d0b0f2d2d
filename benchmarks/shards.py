"""Minibatches a second when the model is split over servers, with one worker and with more.

Two measurements. ``fit``: whole fits on Criteo-shaped clicks, embedded servers, of which the
epochs after the first count. ``step``: the round trip alone, one process, the median of many.
Every server and every worker is a process: with more of them than cores, splitting a model can
only cost. Look at ``cores`` in the report before anything else.

    python benchmarks/shards.py
    python benchmarks/shards.py --servers 1 2 4 --workers 4 --batches 1000
"""

import argparse
import contextlib
import itertools
import secrets
import statistics
import time
import warnings

import numpy as np
from click_data import draw_clicks
from machine import describe_machine, print_report, quantiles, say
from sklearn.exceptions import ConvergenceWarning

from cirrus_runtime.server import ModelSpec, ParameterServer, open_shards
from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.servers import open_servers


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--rows", type=int, default=200_000, help="rows to train on")
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--epochs", type=int, default=3, help="of each fit; one is a warm-up")
    parser.add_argument("--ids", type=int, nargs="+", default=[700, 30_000], help="of a step")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def fit(clicks, servers, workers, batch, options):
    """Return updates a second of the epochs after the first, and the held-out loss."""
    model = CirrusLogisticRegression(
        batch_size=batch, max_iter=options.epochs, tol=0, random_state=options.seed
    )
    with warnings.catch_warnings(), config_context(n_servers=servers, n_workers=workers):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(clicks.X, clicks.y)
    first, *others = model.history_
    seconds = others[-1]["seconds"] - first["seconds"]
    loss = clicks.loss(model.predict_proba(clicks.X_held))
    return sum(entry["updates"] for entry in others) / seconds, loss


def measure_fits(options):
    """Run every combination in turn, several times."""
    clicks = draw_clicks(options.rows, 20_000, 2**options.bits, options.seed)
    grid = list(itertools.product(options.batches, options.servers, options.workers))
    rates, losses = ({case: [] for case in grid} for _ in range(2))
    for _ in range(options.repeats):
        for case in grid:
            batch, servers, workers = case
            rate, loss = fit(clicks, servers, workers, batch, options)
            rates[case].append(rate)
            losses[case].append(loss)
    results = []
    for case in grid:
        batch, servers, workers = case
        base = statistics.median(rates[batch, options.servers[0], workers])
        median = statistics.median(rates[case])
        say(f"batch {batch}, {servers} servers, {workers} workers: {median:.0f} updates/s")
        results.append(
            {
                "batch_size": batch,
                "servers": servers,
                "workers": workers,
                "updates_per_second": quantiles(rates[case]),
                "over_first": median / base,
                "held_out_loss": quantiles(losses[case]),
            }
        )
    return results


def measure_steps(options):
    """Time the round trip of one process with every number of servers, in turn."""
    with contextlib.ExitStack() as stack:
        models = {number: open_model(number, options, stack) for number in options.servers}
        return [compare_steps(models, n_ids, options) for n_ids in options.ids]


def open_model(number, options, stack):
    """Create a model over a number of embedded servers; the stack ends it."""
    clients = [stack.enter_context(server.client()) for server in open_servers(n_servers=number)]
    key = f"cirrus:{{benchmark-{secrets.token_hex(4)}}}:model"
    model = ParameterServer(open_shards(clients), key)
    stack.callback(model.engine.close)
    model.create(ModelSpec(2**options.bits, 1, "adagrad"))
    stack.callback(model.drop)
    return model


def compare_steps(models, n_ids, options):
    """Time steps of one size; the models take turns, so that a busy moment falls on all."""
    random = np.random.default_rng(options.seed)
    batches = [random.choice(2**options.bits, n_ids, replace=False) for _ in range(16)]
    batches = [batch.astype(np.uint32) for batch in batches]
    gradient = random.normal(size=(n_ids, 1)).astype(np.float32)
    seconds = {number: [] for number in models}
    for i in range(options.steps + 100):
        for number, model in models.items():
            start = time.perf_counter()
            model.step(batches[i % 16], gradient, 0.01, batches[(i + 1) % 16])
            if i >= 100:  # the first open connections and fault memory in
                seconds[number].append(time.perf_counter() - start)
    spread = {number: quantiles(values) for number, values in seconds.items()}
    shown = {number: f"{entry['median'] * 1e6:.0f} us" for number, entry in spread.items()}
    say(f"step of {n_ids} ids by number of servers: {shown}")
    return {"ids": n_ids, "seconds": spread}


def main():
    options = parse()
    machine = describe_machine()
    results = {"step": measure_steps(options), "fit": measure_fits(options)}
    print_report("shards", machine, vars(options), results)


if __name__ == "__main__":
    main()
