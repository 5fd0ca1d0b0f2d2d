"""LogisticRegression, by saga and by lbfgs, against ours on a9a and digits: time and what it buys.

All sides minimise the same objective, with the same ``C``, each at its own default ``tol``; saga,
whose default of 100 epochs is short, gets ``--max-iter``. They take turns, after a first fit of
ours that starts server and workers. a9a is judged by its test set, digits (of pixels from 0 to 1)
by a quarter held out. The objective is computed here, in float64, from coef_ and intercept_;
``excess`` is what lies above the lowest that any side reached, relative to it.

    CIRRUS_TEST_DATA=folder/of/a9a python benchmarks/logistic_fit.py
    python benchmarks/logistic_fit.py --data digits
"""

import argparse

import numpy as np
from lbfgs_fit import fit, objective
from machine import describe_machine, print_report, quantiles, say
from real_data import add_data_dir, load_a9a
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_cirrus import CirrusLogisticRegression

DATA = ("a9a", "digits")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    add_data_dir(parser)
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--max-iter", type=int, default=1000, help="of scikit-learn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def load(name, options):
    """Return X, y to train on and X, y held out."""
    if name == "a9a":
        return *load_a9a(options.data_dir), *load_a9a(options.data_dir, "a9a.t")
    X, y = load_digits(return_X_y=True)
    X, X_held, y, y_held = train_test_split(X / 16, y, random_state=options.seed, stratify=y)
    return X, y, X_held, y_held


def sides(options):
    """Return what makes the model of each side, by its name."""
    theirs = {"C": options.C, "max_iter": options.max_iter}
    local = {"backend": "local", "n_workers": options.workers}
    ours = {
        "adagrad, local": local,
        "adagrad, inline": {"backend": "inline"},
        "lbfgs, local": {"solver": "lbfgs", "max_iter": options.max_iter} | local,
        "lbfgs, inline": {"solver": "lbfgs", "max_iter": options.max_iter, "backend": "inline"},
    }
    makers = {
        f"LogisticRegression, {solver}": lambda seed, solver=solver: LogisticRegression(
            solver=solver, random_state=seed, **theirs
        )
        for solver in ("saga", "lbfgs")
    }
    for name, more in ours.items():
        makers[f"ours, {name}"] = lambda seed, more=more: CirrusLogisticRegression(
            C=options.C, random_state=seed, **more
        )
    return makers


def compare(name, options):
    """Let all sides fit in turns; return what each took and reached."""
    X, y, X_held, y_held = load(name, options)
    makers = sides(options)
    fits = {side: [] for side in makers}
    for i in range(options.repeats):
        for side, make in makers.items():
            model, seconds = fit(make(options.seed + i), X, y)
            fits[side].append(
                {
                    "seconds": seconds,
                    "iterations": float(np.max(model.n_iter_)),
                    "objective": objective(model, X, y, options.C),
                    "held_out_loss": float(log_loss(y_held, model.predict_proba(X_held))),
                    "held_out_error": float(1 - model.score(X_held, y_held)),
                }
            )
    lowest = min(entry["objective"] for entries in fits.values() for entry in entries)
    report = {"shape": X.shape, "lowest_objective": lowest}
    for side, entries in fits.items():
        report[side] = {key: quantiles([e[key] for e in entries]) for key in entries[0]}
        report[side]["excess"] = report[side]["objective"]["median"] / lowest - 1
        say(
            f"{name}, {side}: {report[side]['seconds']['median']:.3f} s,"
            f" {report[side]['iterations']['median']:.0f} iterations,"
            f" excess {report[side]['excess']:.1e},"
            f" held-out loss {report[side]['held_out_loss']['median']:.4f}"
        )
    return report


def main():
    options = parse()
    machine = describe_machine()
    warm = CirrusLogisticRegression(backend="local", n_workers=options.workers)
    results = {"cold_fit_seconds": fit(warm, *load_digits(return_X_y=True))[1]}
    for name in options.data:
        results[name] = compare(name, options)
    print_report("logistic_fit", machine, vars(options), results)


if __name__ == "__main__":
    main()
