"""The exact solver against scikit-learn's: a whole fit of L-BFGS on a9a, digits and clicks.

Both sides minimise the same objective and stop by the same rule: no component of its gradient in
the user's columns is larger than tol (ours asks the same of its own variables as well). They take
turns, after a first fit of ours that starts server and workers. The objective is computed here,
in float64, from coef_ and intercept_; ``excess`` is what lies above the lowest that either side
reached on the data, relative to it.

    CIRRUS_TEST_DATA=folder/of/a9a python benchmarks/lbfgs_fit.py
    python benchmarks/lbfgs_fit.py --data-dir folder/of/a9a --data a9a
"""

import argparse
import time
import warnings

import numpy as np
from machine import describe_machine, print_report, quantiles, say
from real_data import add_data_dir, load_a9a
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.datasets import make_clicks

DATA = ("a9a", "digits", "clicks")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    add_data_dir(parser)
    parser.add_argument("--clicks", type=int, default=100_000, help="rows of clicks")
    parser.add_argument("--features", type=int, default=1 << 20, help="columns of clicks")
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--tol", type=float, nargs="+", default=[1e-4, 1e-6])
    parser.add_argument("--max-iter", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args(arguments)


def load(name, options):
    """Return X and class indices."""
    if name == "digits":
        return load_digits(return_X_y=True)
    if name == "clicks":
        return make_clicks(options.clicks, n_features=options.features, random_state=0)
    return load_a9a(options.data_dir)


def objective(model, X, y, C):
    """Return mean loss plus penalty per row."""
    scores = X @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    losses = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    return float(losses.mean() + (model.coef_**2).sum() / (2 * C * len(y)))


def fit(model, X, y):
    """Return the model, fitted, and the seconds that took."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(X, y)
        return model, time.perf_counter() - start


def compare(X, y, tol, options):
    """Let both sides fit in turns; return what each reached and took."""
    common = {"C": options.C, "tol": tol, "max_iter": options.max_iter}
    ours = {"solver": "lbfgs", **common}
    sides = {
        "scikit-learn": lambda: LogisticRegression(**common),
        "inline": lambda: CirrusLogisticRegression(backend="inline", **ours),
        "local": lambda: CirrusLogisticRegression(
            backend="local", n_workers=options.workers, **ours
        ),
    }
    fits = {name: [] for name in sides}
    for _ in range(options.repeats):
        for name, make in sides.items():
            fits[name].append(fit(make(), X, y))
    report, models = {}, {name: done[-1][0] for name, done in fits.items()}
    for name, model in models.items():
        report[name] = {
            "seconds": quantiles([seconds for _, seconds in fits[name]]),
            "iterations": int(np.max(model.n_iter_)),
            "objective": objective(model, X, y, options.C),
        }
        if name != "scikit-learn":
            history = model.history_
            report[name]["evaluations"] = sum(entry["evaluations"] for entry in history)
            for part in ("compute_seconds", "server_seconds", "wait_seconds", "server_bytes"):
                report[name][part] = sum(entry[part] for entry in history)
    lowest = min(side["objective"] for side in report.values())
    for side in report.values():
        side["excess"] = side["objective"] / lowest - 1
    exact = models["scikit-learn"].coef_
    report["coef_difference"] = float(
        np.abs(models["inline"].coef_ - exact).max() / np.abs(exact).max()
    )
    report["same_bits"] = models["inline"].coef_.tobytes() == models["local"].coef_.tobytes()
    return report


def main():
    options = parse()
    machine = describe_machine()
    results = {}
    warm = CirrusLogisticRegression(solver="lbfgs", backend="local", n_workers=options.workers)
    results["cold_fit_seconds"] = fit(warm, *load_digits(return_X_y=True))[1]
    for name in options.data:
        X, y = load(name, options)
        results[name] = {"shape": X.shape}
        for tol in options.tol:
            report = results[name][f"tol {tol:g}"] = compare(X, y, tol, options)
            for side in ("scikit-learn", "inline", "local"):
                entry = report[side]
                say(
                    f"{name}, tol {tol:g}, {side}: {entry['seconds']['median']:.3f} s, "
                    f"{entry['iterations']} iterations, excess {entry['excess']:.1e}"
                )
    print_report("lbfgs_fit", machine, vars(options), results)


if __name__ == "__main__":
    main()
