"""What a warm fit on iris costs beyond its arithmetic.

The first fit of a process starts the server and the workers; the later ones find them
warm. A fit's arithmetic is the time its workers spend in minibatches and steps, read from
``history_`` and divided by the number of workers that had a part in the epoch, since they
work side by side. The same fit in this process alone (backend inline) is printed beside it
as a check.

    python benchmarks/iris_fit.py
"""

import argparse
import time
import warnings

from machine import describe_machine, print_report, quantiles, say
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus import CirrusLogisticRegression, config_context

# What history_ says of the workers' seconds in each epoch, summed over the workers.
WORK = ("localize_seconds", "compute_seconds", "server_seconds")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=50, help="warm fits")
    parser.add_argument("--max-iter", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--solver", default="adagrad")
    return parser.parse_args(arguments)


def fit(X, y, backend, options):
    """Fit once; return the seconds, the seconds of work and the number of epochs."""
    model = CirrusLogisticRegression(
        solver=options.solver,
        max_iter=options.max_iter,
        n_workers=options.workers if backend == "local" else 1,
        random_state=0,
    )
    with config_context(backend=backend), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    work = sum(epoch[name] / epoch["workers"] for epoch in model.history_ for name in WORK)
    return {"seconds": seconds, "work": work, "beyond": seconds - work, "epochs": model.n_iter_}


def main():
    options = parse()
    machine = describe_machine()
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    results = {}
    for backend in ("local", "inline"):
        first = fit(X, y, backend, options)
        fits = [fit(X, y, backend, options) for _ in range(options.repeats)]
        names = ("seconds", "work", "beyond", "epochs")
        spread = {name: quantiles([float(entry[name]) for entry in fits]) for name in names}
        results[backend] = {"first_fit_seconds": first["seconds"], **spread}
        say(f"{backend}: beyond its arithmetic {1e3 * spread['beyond']['median']:.1f} ms")
    print_report("iris_fit", machine, vars(options), results)


if __name__ == "__main__":
    main()
