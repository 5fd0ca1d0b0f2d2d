"""Time to the held-out RMSE of Surprise's SVD: whole ``fit`` of ours and of others on ratings.

On each split (the five random folds of ml-latest-small; a tenth of made ratings of the shape of
the Netflix prize) Surprise's SVD is fitted with its defaults, and its error is the target. Ours is
fitted with 1, 2, ... epochs until its error is not larger; that fit is then repeated. All errors
are of predictions held to the scale of the ratings, as Surprise does it. ``seconds_with_trainset``
of Surprise includes making its Trainset from a data frame, as ours begins with a matrix.

Backend inline is one thread, as Surprise is: one core against one core.

    CIRRUS_TEST_DATA=folder/of/ml-latest-small python benchmarks/factorization.py
    python benchmarks/factorization.py --data made --lenskit-python other/venv/bin/python
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

from factorization_rivals import fit_implicit, fit_lenskit, fit_surprise
from machine import describe_machine, print_report, quantiles, say
from rating_data import splits_of
from real_data import add_data_dir
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusMatrixFactorization

DATA = ("movielens", "made")
SIDES = ("surprise", "implicit", "lenskit")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    add_data_dir(parser)
    parser.add_argument("--users", type=int, default=20_000, help="of the made ratings")
    parser.add_argument("--items", type=int, default=17_770)
    parser.add_argument("--ratings", type=int, default=3_600_000)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--lenskit-python", metavar="PATH", help="of an environment with LensKit")
    parser.add_argument("--made-alpha", type=float, default=0.05, help="ours, on made ratings")
    parser.add_argument("--max-epochs", type=int, default=20, help="to look for the target in")
    parser.add_argument("--iterations", type=int, default=10, help="of alternating least squares")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def fit(split, seed, **parameters):
    """Fit whole; return seconds, error and rates."""
    model = CirrusMatrixFactorization(random_state=seed, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop early is the point here
        start = time.perf_counter()
        model.fit(split.X)
        seconds = time.perf_counter() - start
    predictions = model.predict_ratings(split.users, split.items)
    history = model.history_
    ratings = sum(entry["rows"] for entry in history)
    return {
        "epochs": len(history),
        "seconds": seconds,
        "rmse": split.rmse(predictions),
        "rmse_unclipped": split.rmse(predictions, clip=False),
        "ratings_per_second_whole_fit": ratings / seconds,
        # Of a worker alone, which reports many epochs together, this is the rate to the end.
        "ratings_per_second_in_epochs": ratings / history[-1]["seconds"],
    }


def spread(fits):
    """Return the spread of every figure of some fits."""
    return {key: quantiles([entry[key] for entry in fits]) for key in fits[0]}


def reach(split, target, options, **parameters):
    """Find the number of epochs whose fit reaches the target, and repeat that fit."""
    for epochs in range(1, options.max_epochs + 1):
        entry = fit(split, options.seed, max_iter=epochs, tol=None, **parameters)
        if entry["rmse"] <= target:
            break
    else:
        return None
    again = [
        fit(split, options.seed + i, max_iter=epochs, tol=None, **parameters)
        for i in range(options.repeats)
    ]
    return {"epochs": epochs} | spread(again)


def compare(split, ours, options):
    """Return what Surprise and ours take on one split, and the ratios."""
    surprise = spread([fit_surprise(split, options.seed + i) for i in range(options.repeats)])
    target = surprise["rmse"]["median"]
    result = {"surprise": surprise, "target": target}
    for name, places in placed(options).items():
        result[name] = entry = reach(split, target, options, **ours, **places)
        if entry is not None:
            ours_seconds = entry["seconds"]["median"]
            entry["surprise_over_ours"] = surprise["seconds"]["median"] / ours_seconds
            entry["with_trainset_over_ours"] = (
                surprise["seconds_with_trainset"]["median"] / ours_seconds
            )
            say(f"{name}: {ours_seconds:.3f} s, {entry['surprise_over_ours']:.1f} times Surprise")
    return result


def placed(options):
    """Return the places in which ours is timed."""
    return {
        f"local, {options.workers} workers": {"backend": "local", "n_workers": options.workers},
        "inline": {"backend": "inline"},
    }


def main():
    options = parse()
    machine = describe_machine()
    results = {}
    for name in options.data:
        splits = splits_of(name, options)
        ours = {"alpha": options.made_alpha} if name == "made" else {}
        for places in placed(options).values():  # starts server and workers
            fit(splits[0], options.seed, max_iter=1, **places)
        results[name] = report = {"shape": splits[0].X.shape, "ratings": splits[0].X.nnz}
        if "surprise" in options.sides:
            report["to_the_error_of_surprise"] = [compare(s, ours, options) for s in splits]
        whole = {"defaults": {}, "ours, 20 epochs": ours} if ours else {"defaults": {}}
        for setting, parameters in whole.items():
            entries = [fit(s, options.seed, **parameters) for s in splits]
            report[setting] = spread(entries)
            mean = sum(entry["rmse_unclipped"] for entry in entries) / len(entries)
            report[setting]["mean_rmse_unclipped"] = mean
            say(f"{name}, {setting}: RMSE {mean:.4f}")
        report["rates"] = {
            str(workers): spread(
                [
                    fit(
                        splits[0], i, max_iter=5, tol=None, backend="local", n_workers=workers,
                        **ours,
                    )
                    for i in range(options.repeats)
                ]
            )
            for workers in (1, options.workers)
        }  # fmt: skip
        als = {"solver": "als", "max_iter": options.iterations, "tol": None} | ours
        report["als"] = {
            place: spread([fit(splits[0], i, **als, **where) for i in range(options.repeats)])
            for place, where in placed(options).items()
        }
        if "implicit" in options.sides:
            report["implicit"] = {
                str(threads): spread(
                    [
                        fit_implicit(splits[0], 10, options.iterations, threads)
                        for _ in range(options.repeats)
                    ]
                )
                for threads in (1, options.workers)
            }
        if "lenskit" in options.sides and options.lenskit_python:
            with tempfile.TemporaryDirectory() as folder:
                report["lenskit"] = fit_lenskit(
                    splits[0], options.lenskit_python, Path(folder) / "split.npz", 10, 20
                )
    # Where this machine keeps its data and its Pythons says nothing to others.
    params = vars(options) | {"data_dir": None, "lenskit_python": bool(options.lenskit_python)}
    print_report("factorization", machine, params, results)


if __name__ == "__main__":
    main()
