"""What loading and scaling a Dataset is compared with: pandas, polars, scikit-learn."""

import shutil
import time

import numpy as np
from machine import quantiles, say
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_cirrus import CirrusMinMaxScaler, CirrusStandardScaler, Dataset
from sklearn_cirrus.datasets import write_criteo

_COLUMNS = 39


def _timed(function):
    """Return what a function returned, and its seconds."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def _readers():
    """Return the readers that are there: of a path, the number of rows read."""
    readers = {}
    try:
        import pandas

        readers["pandas.read_csv"] = lambda path: len(pandas.read_csv(path, sep="\t", header=None))
    except ImportError:
        say("pandas is not there")
    try:
        import polars

        readers["polars.read_csv"] = lambda path: len(
            polars.read_csv(path, separator="\t", has_header=False, infer_schema_length=10_000)
        )
    except ImportError:
        say("polars is not there")
    return readers


def compare_loading(folder, options):
    """Load one file by everybody, in turns; return rows a second and the ratios of medians."""
    path, url = folder / "compared.tsv", folder / "compared"
    n = options.compare_rows
    write_criteo(path, n, random_state=options.seed)

    def ours(path):
        rows = len(Dataset.from_criteo(path, url=f"file://{url}"))
        return rows

    readers = {"cirrus": ours} | _readers()
    seconds = {name: [] for name in readers}
    Dataset.from_criteo(path, url=f"file://{url}")  # workers are there from now on
    for _ in range(options.repeats):
        for name, read in readers.items():
            shutil.rmtree(url, ignore_errors=True)
            rows, took = _timed(lambda read=read: read(path))
            if rows != n:
                raise SystemExit(f"{name} has read {rows} rows of {n}")
            seconds[name].append(took)
            say(f"{name}: {n / took:,.0f} rows/s")
    shutil.rmtree(url, ignore_errors=True)
    nbytes = path.stat().st_size
    path.unlink()
    medians = {name: float(np.median(took)) for name, took in seconds.items()}
    return {
        "rows": n,
        "mb": nbytes / 1e6,
        "seconds": {name: quantiles(took) for name, took in seconds.items()},
        "rows_per_second": {name: n / median for name, median in medians.items()},
        "times_as_fast_as": {
            name: median / medians["cirrus"] for name, median in medians.items() if name != "cirrus"
        },
    }


def compare_scalers(options):
    """Fit and apply both scalers, on arrays and on a dataset of the same rows, in turns."""
    n = options.compare_rows
    random = np.random.default_rng(options.seed)
    X = random.normal(3, 2, (n, _COLUMNS)).astype(np.float32)
    data = Dataset.from_arrays(X)
    X = X.astype(np.float64)  # what scikit-learn gets: float32 would cost it digits
    data.head(1)
    results = {}
    for ours, theirs in (
        (CirrusStandardScaler, StandardScaler),
        (CirrusMinMaxScaler, MinMaxScaler),
    ):
        times = {"cirrus_fit": [], "sklearn_fit": [], "cirrus_persist": [], "sklearn_transform": []}
        for _ in range(options.repeats):
            scaler, took = _timed(lambda ours=ours: ours().fit(data))
            times["cirrus_fit"].append(took)
            exact, took = _timed(lambda theirs=theirs: theirs().fit(X))
            times["sklearn_fit"].append(took)
            written, took = _timed(lambda scaler=scaler: scaler.transform(data).persist())
            times["cirrus_persist"].append(took)
            _, took = _timed(lambda exact=exact: exact.transform(X))
            times["sklearn_transform"].append(took)
            written.delete() if hasattr(written, "delete") else shutil.rmtree(
                written.url.removeprefix("file://")
            )
        apart = np.abs(scaler.scale_ / exact.scale_ - 1).max()
        results[theirs.__name__] = {
            "seconds": {name: quantiles(took) for name, took in times.items()},
            "fit_rows_per_second": {
                name: n / float(np.median(times[f"{name}_fit"])) for name in ("cirrus", "sklearn")
            },
            "largest_relative_difference_of_scales": float(apart),
        }
        say(theirs.__name__, results[theirs.__name__]["fit_rows_per_second"])
    return {"rows": n, "columns": _COLUMNS} | results
