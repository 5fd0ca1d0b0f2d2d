"""Vowpal Wabbit on clicks, fed the way it is fastest: from files, by its own C++ driver.

Its Python interface takes one example at a time and is many times slower than its driver,
so the driver runs here, in this process. Three times are told apart: writing its text
format (ours, not counted against it), the fit from text (it parses, and writes its cache
while it learns), and the fit from a cache that is already there.
"""

import time
from pathlib import Path

import numpy as np
from machine import say

# Its updates are adaptive, normalized and invariant by default; -l is 0.5 by default.
DEFAULT_RATE = 0.5
RATES = (DEFAULT_RATE, 0.25, 0.1, 0.05)
PASSES = (1, 2, 3, 4, 6)


def write_text(X, y, path, rows_at_once=20_000):
    """Write rows of ones in Vowpal Wabbit's text format; return the seconds."""
    start = time.perf_counter()
    with open(path, "w") as file:
        for first in range(0, len(y), rows_at_once):
            rows = slice(first, first + rows_at_once)
            columns = X.indices.reshape(len(y), -1)[rows].tolist()
            labels = y[rows].tolist()
            file.writelines(
                f"{'1' if label else '-1'} | {' '.join(map(str, row))}\n"
                for label, row in zip(labels, columns, strict=True)
            )
    return time.perf_counter() - start


class VowpalWabbit:
    """The driver and its files.

    Parameters
    ----------
    clicks : Clicks
    bits : int
        Its table has 2**bits weights; digits as feature names are columns to it, so these
        are the columns of the data.
    folder : path
        Where its files go.
    """

    def __init__(self, clicks, bits, folder):
        from vowpalwabbit import Workspace

        self._workspace = Workspace
        self._clicks, self._bits, self._folder = clicks, bits, Path(folder)
        self.text_seconds = write_text(clicks.X, clicks.y, self._folder / "train")
        write_text(clicks.X_held, clicks.y_held, self._folder / "held")

    def fit(self, rate, passes, source):
        """Fit whole, "from_cache" or "from_text"; return seconds and held-out loss."""
        cache, model = self._folder / "cache", self._folder / "model"
        arguments = [
            "--data", str(self._folder / "train"), "--cache_file", str(cache), "--quiet",
            "--loss_function", "logistic", "--holdout_off", "-b", str(self._bits),
            "-l", str(rate), "--passes", str(passes),
        ]  # fmt: skip
        if source == "from_text":
            cache.unlink(missing_ok=True)
        elif not cache.exists():
            self.fit(rate, 1, "from_text")
        start = time.perf_counter()
        driver = self._workspace(arg_list=arguments)  # parses and learns before it returns
        seconds = time.perf_counter() - start
        driver.save(str(model))
        driver.finish()
        return {"seconds": seconds, "loss": self._loss(model)}

    def _loss(self, model):
        predictions = self._folder / "predictions"
        driver = self._workspace(
            arg_list=[
                "--testonly", "--initial_regressor", str(model), "--quiet", "--link", "logistic",
                "--data", str(self._folder / "held"), "--predictions", str(predictions),
            ]
        )  # fmt: skip
        driver.finish()
        return self._clicks.loss(np.loadtxt(predictions))

    def sweep(self, rates, all_passes):
        """Fit from the cache at each rate and number of passes; return all, best loss first."""
        fits = []
        for rate in rates:
            for passes in all_passes:
                fits.append({"rate": rate, "passes": passes} | self.fit(rate, passes, "from_cache"))
                say(f"vw {fits[-1]}")
        return sorted(fits, key=lambda entry: entry["loss"])
