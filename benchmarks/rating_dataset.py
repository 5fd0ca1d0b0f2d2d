"""Matrix factorization of a CSV file of ratings that the client never reads.

Writes a made-up ratings.csv in random order (in a process of its own, which may take the memory),
then loads, pivots, fits and predicts it as a Dataset, and fits the same ratings as a matrix.
``client_rise_mib`` is how far the resident memory of this process rose until the predictions were
there; only Linux tells the peak of a process.

    python benchmarks/rating_dataset.py
    python benchmarks/rating_dataset.py --ratings 20000000 --users 100000
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from fit_memory import MIB, Peak
from machine import describe_machine, print_report, say
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusMatrixFactorization, Dataset, config_context

_WRITE = """
import sys
import numpy as np
from sklearn_cirrus.datasets import make_ratings
users, items, ratings, seed, path = *map(int, sys.argv[1:5]), sys.argv[5]
X = make_ratings(users, items, ratings, random_state=seed).tocoo()
order = np.random.default_rng(seed).permutation(X.nnz)
with open(path, "w") as file:
    file.write("userId,movieId,rating\\n")
    for part in np.array_split(order, max(1, len(order) // 100_000)):
        rows = zip(X.row[part].tolist(), X.col[part].tolist(), X.data[part].tolist(), strict=True)
        file.writelines(f"{user},{item},{rating:g}\\n" for user, item, rating in rows)
"""


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=17_770)
    parser.add_argument("--ratings", type=int, default=3_600_000)
    parser.add_argument("--solvers", nargs="+", default=["adagrad", "als"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def timed(call, *arguments):
    """Return what a call returns, and its seconds."""
    start = time.perf_counter()
    found = call(*arguments)
    return found, time.perf_counter() - start


def main():
    options = parse()
    machine, results = describe_machine(), {"solvers": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        shape = options.users, options.items, options.ratings, options.seed
        subprocess.run([sys.executable, "-c", _WRITE, *map(str, shape), path], check=True)
        results["file_mib"] = path.stat().st_size / MIB
        with config_context(backend="local", n_workers=options.workers):
            measure(path, options, results)
    print_report("rating_dataset", machine, vars(options), results)


def measure(path, options, results):
    client = Peak("self")
    data, results["load_seconds"] = timed(Dataset.from_csv, path)
    held = np.random.default_rng(1).random(len(data)) < 0.1
    train, test = data[~held], data[held]
    rows, results["pivot_seconds"] = timed(train.pivot)
    results["ratings_pivoted_per_second"] = len(train) / results["pivot_seconds"]
    predicted = {}
    for solver in options.solvers:
        model = CirrusMatrixFactorization(
            alpha=0.05, solver=solver, max_iter=options.epochs, tol=None, random_state=options.seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, of_table = timed(model.fit, train)
            predicted[solver], rating = timed(model.predict_ratings, test)
            _, of_rows = timed(model.fit, rows)
        found = {"fit_table_seconds": of_table, "fit_rows_seconds": of_rows}
        results["solvers"][solver] = found | {"predict_seconds": rating}
        say(f"{solver}: table {of_table:.1f} s, rows {of_rows:.1f} s")
    results["client_rise_mib"] = client.rise() / MIB
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    users, items = np.unique(table[:, 0]), np.unique(table[:, 1])
    row, column = np.searchsorted(users, table[:, 0]), np.searchsorted(items, table[:, 1])
    shape = len(users), len(items)
    X = csr_array((table[~held, 2].astype("f4"), (row[~held], column[~held])), shape=shape)
    for solver, of_dataset in predicted.items():
        model = CirrusMatrixFactorization(
            alpha=0.05, solver=solver, max_iter=options.epochs, tol=None, random_state=options.seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, seconds = timed(model.fit, X)
        of_matrix = model.predict_ratings(row[held], column[held])
        rmse = [float(np.sqrt(np.mean((p - table[held, 2]) ** 2))) for p in (of_dataset, of_matrix)]
        found = {"fit_matrix_seconds": seconds, "rmse_dataset": rmse[0], "rmse_matrix": rmse[1]}
        results["solvers"][solver] |= found | {"rmse_ratio": rmse[0] / rmse[1]}


if __name__ == "__main__":
    main()
