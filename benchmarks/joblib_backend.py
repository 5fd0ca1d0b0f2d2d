"""GridSearchCV through joblib's backends: cirrus, loky, Lithops on this machine, Dask; and Lambda.

Every task is a fit on digits that takes a given time (it sleeps, so that the machine's cores do not
decide) and then scores. What is told is the whole ``fit`` of a search of 40 tasks, without refit,
against the time that the tasks alone take: ``tasks * seconds / jobs``. The first search of each
backend starts its workers, and is told apart; those that follow are the same search on other
values.

    pip install 'lithops[joblib]' distributed
    python benchmarks/joblib_backend.py
    python benchmarks/joblib_backend.py --on-lambda    # and the emulated Lambda

The emulated Lambda runs the zip that ``sklearn-cirrus bundle --task`` makes for this machine and
Python: it is built here, or given with ``--bundle``. There is none for Python 3.11, so that part
needs a newer one (docs/bundle.md).

Bytes: what goes to workers for a search on 5,000 rows of 50 columns with sample weights, of dense
data, CSR and a data frame, against pickles of the same batches.
"""

import argparse
import contextlib
import hashlib
import sys
import tempfile
import time
import warnings
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
from machine import describe_machine, print_report, quantiles, say
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import sklearn_cirrus
from sklearn_cirrus import config_context

N_TASKS, FOLDS = 40, 5


class Paced(ClassifierMixin, BaseEstimator):
    """Takes ``seconds`` to fit, and predicts the most frequent class."""

    def __init__(self, seconds=0.0, number=0):
        self.seconds = seconds
        self.number = number

    def fit(self, X, y):
        end = time.perf_counter() + self.seconds
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        time.sleep(max(0.0, end - time.perf_counter()))
        return self

    def predict(self, X):
        return np.full(len(X), self.most_)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 0.01])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--backends", nargs="+", default=["cirrus", "loky", "dask", "lithops"], choices=list(OPEN)
    )
    parser.add_argument("--on-lambda", action="store_true", help="and on the emulated Lambda")
    parser.add_argument("--bundle", type=Path, help="zip of `sklearn-cirrus bundle --task` for it")
    parser.add_argument("--wheels", type=Path, help="folder of wheels, to build the zip from")
    parser.add_argument("--lambda-jobs", type=int, default=8)
    parser.add_argument("--memory", type=int, default=1024, help="MB of a function")
    return parser.parse_args(arguments)


def search(seconds, repeat):
    """Run a search of 40 tasks and return its seconds."""
    X, y = load_digits(return_X_y=True)
    numbers = [100 * repeat + number for number in range(N_TASKS // FOLDS)]
    grid = GridSearchCV(Paced(seconds), {"number": numbers}, cv=FOLDS, refit=False)
    begin = time.perf_counter()
    grid.fit(X, y)
    taken = time.perf_counter() - begin
    assert len(grid.cv_results_["params"]) == len(numbers)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    return taken


@contextlib.contextmanager
def open_joblib(name, jobs):
    """Select a backend that needs nothing else."""
    with joblib.parallel_config(name, n_jobs=jobs):
        yield


@contextlib.contextmanager
def open_dask(_, jobs):
    """Select Dask's, on processes of one thread."""
    from distributed import Client

    with (
        Client(n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None),
        joblib.parallel_config("dask", n_jobs=jobs),
    ):
        yield


@contextlib.contextmanager
def open_lithops(_, jobs):
    """Select Lithops's, on processes of this machine."""
    from lithops.util.joblib import register_lithops

    register_lithops()
    config = {"lithops": {"backend": "localhost", "storage": "localhost", "log_level": "ERROR"}}
    config |= {"localhost": {"worker_processes": jobs, "runtime": sys.executable}}
    with joblib.parallel_config("lithops", n_jobs=jobs, lithops_args={"config": config}):
        yield


OPEN = {
    "cirrus": open_joblib,
    "loky": open_joblib,
    "dask": open_dask,
    "lithops": open_lithops,
}


def measure(opened, options, jobs):
    """Return the times of searches with tasks of each length."""
    found = {}
    with opened:
        for seconds in options.seconds:
            first = search(seconds, 0)
            times = [search(seconds, repeat + 1) for repeat in range(options.repeats)]
            found[f"{seconds:g}"] = {
                "first_seconds": first,
                "seconds": quantiles(times),
                "tasks_alone_seconds": N_TASKS * seconds / jobs,
            }
    return found


def compare(options):
    """Return the times of every backend that is installed."""
    found = {}
    for name in options.backends:
        try:
            found[name] = measure(OPEN[name](name, options.jobs), options, options.jobs)
        except ImportError as error:
            found[name] = {"absent": str(error)}
        say(name, {k: v["seconds"]["median"] for k, v in found[name].items() if "seconds" in v})
    return found


@contextlib.contextmanager
def task_bundle(options):
    """Give the zip of tasks, and what the report says of it."""
    from sklearn_cirrus.bundle import Target, build_task

    if options.bundle is not None:
        digest = hashlib.sha256(options.bundle.read_bytes()).hexdigest()
        yield options.bundle, {"name": options.bundle.name, "built": "before", "sha256": digest}
        return
    with tempfile.TemporaryDirectory(prefix="cirrus-bench-") as folder:
        say("building the zip of tasks")
        bundle = build_task(Target.here(), folder, wheels=options.wheels)
        told = {"name": bundle.path.name, "built": "here, by build_task", "sha256": bundle.sha256}
        told |= {"target": str(bundle.target), "precompiled": bundle.precompiled}
        told |= {"zipped": bundle.zipped, "unzipped": bundle.unzipped}
        yield bundle.path, told | {"versions": dict(bundle.versions)}


def measure_lambda(options):
    """Return the times on the emulated Lambda, with the zip that ships, and what was used."""
    from emulated_cloud import BUCKET, EmulatedCloud

    from sklearn_cirrus.joblib_backend import last_usage

    with (
        task_bundle(options) as (path, told),
        EmulatedCloud(options.memory, path) as cloud,
    ):
        cloud.deploy("tasks", handler="cirrus_runtime.task.handle")
        settings = {"task_function": "tasks", "store_url": f"s3://{BUCKET}/tasks"}
        with config_context(backend="lambda", **settings):
            opened = open_joblib("cirrus", options.lambda_jobs)
            found = measure(opened, options, options.lambda_jobs)
            usage = last_usage()
    say("lambda", {name: entry["seconds"]["median"] for name, entry in found.items()})
    return found | {"last_search": vars(usage), "bundle": told}


def count_bytes(jobs):
    """Return the bytes that a search ships, and those of pickles of the same batches."""
    import pandas as pd
    from scipy import sparse

    from sklearn_cirrus.joblib_backend import last_usage, parcels

    naive = []
    pack = parcels.Packer.pack

    def note(packer, task, call):
        naive.append(len(cloudpickle.dumps(call, protocol=5)))
        return pack(packer, task, call)

    random = np.random.default_rng(0)
    dense = random.standard_normal((5000, 50))
    thin = sparse.random(5000, 50, 0.5, "csr", rng=random)
    y = (dense[:, 0] > 0).astype(int)
    found = {}
    parcels.Packer.pack = note
    try:
        for name, X in {"dense": dense, "csr": thin, "data frame": pd.DataFrame(dense)}.items():
            naive.clear()
            grid = {"C": np.logspace(-4, 0, N_TASKS // FOLDS)}
            model = LogisticRegression(max_iter=5, tol=1.0)
            with joblib.parallel_config("cirrus", n_jobs=jobs), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                GridSearchCV(model, grid, cv=FOLDS, refit=False).fit(
                    X, y, sample_weight=np.ones(len(y))
                )
            usage = last_usage()
            ours = usage.buffer_bytes + usage.call_bytes
            found[name] = {"batches": usage.batches, "naive": sum(naive), "ours": ours}
            found[name]["times_less"] = sum(naive) / ours
            say(name, found[name])
    finally:
        parcels.Packer.pack = pack
    return found


def main():
    options = parse()
    machine = describe_machine()
    results = {"local": compare(options), "bytes": count_bytes(options.jobs)}
    if options.on_lambda or options.bundle:
        results["lambda"] = measure_lambda(options)
    params = vars(options) | {
        "bundle": options.bundle and options.bundle.name,
        "wheels": options.wheels is not None,
    }
    print_report("joblib_backend", machine, params, results)


if __name__ == "__main__":
    assert sklearn_cirrus  # its import registers the backend
    main()
