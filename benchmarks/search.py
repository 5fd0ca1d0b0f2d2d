"""A search by CirrusSearchCV against GridSearchCV over the same candidates, 1 to 64 of them.

Candidates differ in C, or of ratings in alpha. Both sides use the same estimator, splits and number
of epochs, refit nothing, and run on the same workers: GridSearchCV has one fit after the other on
all of them. ``difference`` is the largest between mean held-out losses of the two sides (log
losses; of ratings root mean squared errors), ``spread`` that between candidates; ``growth`` is how
many times longer the search takes than that of one candidate, and ``cpu_growth`` how many times
more processor time client, server and workers need together, which says more on a machine that has
other work.

    python benchmarks/search.py
    python benchmarks/search.py --data clicks --rows 200000 --grid-up-to 4
    python benchmarks/search.py --data ratings --rows 100000
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from machine import describe_machine, print_report, quantiles, say
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_cirrus import CirrusLogisticRegression, CirrusMatrixFactorization
from sklearn_cirrus.datasets import make_clicks, make_ratings
from sklearn_cirrus.model_selection import (
    CirrusSearchCV,
    Ratings,
    RatingsKFold,
    rating_rmse_scorer,
)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", nargs="+", choices=("clicks", "dense", "ratings"), default=["dense", "clicks"]
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=1 << 18, help="columns of clicks")
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--grid-up-to", type=int, default=64, help="candidates for GridSearchCV")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args(arguments)


def load(name, options):
    """Return X, y and the number of epochs."""
    if name == "ratings":
        n_users, n_items = options.rows // 150, options.rows // 15
        return Ratings(make_ratings(n_users, n_items, options.rows, random_state=0)), None, 10
    if name == "clicks":
        X, y = make_clicks(options.rows, n_features=options.features, random_state=0)
        return X, y, 4
    random = np.random.default_rng(0)
    X = random.normal(size=(options.rows, 30)).astype(np.float32)
    margins = X @ random.normal(size=30) / 4
    return X, (margins + random.logistic(size=options.rows) > 0).astype(int), 20


def processor_seconds():
    """Return the processor time of this process and of all that it has started and that live."""
    seconds, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        process = int(path.parent.name)
        parents[process] = int(fields[1])
        seconds[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_ours(process):
        while process > 1 and process != os.getpid():
            process = parents.get(process, 0)
        return process == os.getpid()

    return sum(seconds[process] for process in seconds if is_ours(process))


def search(kind, clf, count, options, X, y, **more):
    """Search once; return the seconds and the mean held-out losses."""
    if isinstance(X, Ratings):
        grid = {"alpha": np.geomspace(0.02, 0.5, count).tolist()}
        cv, scoring = RatingsKFold(options.splits, random_state=0), rating_rmse_scorer
    else:
        grid, scoring = {"C": np.logspace(-5, 1, count).tolist()}, "neg_log_loss"
        cv = StratifiedKFold(options.splits, shuffle=True, random_state=0)
    made = kind(clf, grid, cv=cv, scoring=scoring, refit=False, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        begin = time.perf_counter()
        made.fit(X, y)
        seconds = time.perf_counter() - begin
    return seconds, -made.cv_results_["mean_test_score"], made


def measure(clf, count, options, X, y):
    """Let both sides search; return what each took, and how far they are from each other."""
    before = processor_seconds()
    done = [search(CirrusSearchCV, clf, count, options, X, y) for _ in range(options.repeats)]
    cpu_seconds = (processor_seconds() - before) / options.repeats
    halved = [
        search(CirrusSearchCV, clf, count, options, X, y, halving=2, min_epochs=1)
        for _ in range(options.repeats)
    ]
    losses = done[-1][1]
    epochs = done[-1][2].history_[0]
    report = {
        "cirrus": quantiles([seconds for seconds, *_ in done]),
        "cpu_seconds": cpu_seconds,
        "cirrus_halving": quantiles([seconds for seconds, *_ in halved]),
        "best_loss": float(losses.min()),
        "best_loss_halving": float(halved[-1][1][halved[-1][2].best_index_]),
        "spread": float(losses.max() - losses.min()),
    }
    for part in ("localize", "compute", "server", "load", "wait"):
        report[f"{part}_seconds"] = sum(entry[f"{part}_seconds"] for entry in epochs)
    if count <= options.grid_up_to:
        seconds, theirs, _ = search(GridSearchCV, clf, count, options, X, y)
        report["grid_search"] = seconds
        report["ratio"] = seconds / report["cirrus"]["median"]
        report["difference"] = float(np.abs(losses - theirs).max())
    return report


def main():
    options = parse()
    machine = describe_machine()
    results = {}
    for name in options.data:
        X, y, epochs = load(name, options)
        kind = CirrusMatrixFactorization if name == "ratings" else CirrusLogisticRegression
        clf = kind(
            backend="local", n_workers=options.workers, max_iter=epochs, tol=None, random_state=0
        )
        search(CirrusSearchCV, clf, 1, options, X, y)  # starts server and workers
        results[name] = {"shape": X.shape, "epochs": epochs}
        for count in options.candidates:
            report = results[name][str(count)] = measure(clf, count, options, X, y)
            first = results[name][str(options.candidates[0])]
            report["growth"] = report["cirrus"]["median"] / first["cirrus"]["median"]
            report["cpu_growth"] = report["cpu_seconds"] / first["cpu_seconds"]
            say(
                f"{name}, {count} candidates: {report['cirrus']['median']:.2f} s "
                f"({report['growth']:.1f} times one, processor time "
                f"{report['cpu_growth']:.1f} times), halving "
                f"{report['cirrus_halving']['median']:.2f} s, GridSearchCV "
                f"{report.get('grid_search', float('nan')):.2f} s, losses differ by "
                f"{report.get('difference', float('nan')):.5f} of {report['spread']:.5f}"
            )
    print_report("search", machine, vars(options), results)


if __name__ == "__main__":
    main()
