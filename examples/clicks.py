"""Clicks: will this be clicked on? Early stopping, an elastic net, and a model that is kept.

    python examples/clicks.py
    python examples/clicks.py --rows 500000
    python examples/clicks.py --data clicks.libsvm
    python examples/clicks.py --data clicks.csv --target clicked

By default the clicks are made up, with the shape of the Criteo challenge: 39 entries in each row, a
million columns. A LIBSVM file is read as it is. The columns of a CSV file, all of them taken
for categories, are hashed to 2**20 columns; --target names the one that is 1 for a click, else 0.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_svmlight_file
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.datasets import make_clicks

HELD_OUT = 0.2  # of the rows, the last: one learns from the past
STRENGTH = 0.05  # C: wide data with few rows for each column want a strong penalty
PASSES = 15


def load_clicks(options):
    """X and y."""
    if options.data is None:
        return make_clicks(options.rows, random_state=0)
    if options.data.suffix != ".csv":
        X, y = load_svmlight_file(str(options.data))
        return X, (y > 0).astype(int)
    with options.data.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or options.target not in rows[0]:
        raise SystemExit(f"{options.data} must have rows, and a column {options.target!r}")
    y = np.array([int(row.pop(options.target)) for row in rows])
    hasher = FeatureHasher(2**20, alternate_sign=False)  # "column=value" is one, all else zero
    return hasher.transform(rows), y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000, help="made-up clicks (60000)")
    parser.add_argument("--data", type=Path, help="a .csv file, or one in the format of LIBSVM")
    parser.add_argument("--target", default="click", help="column of the csv file (click)")
    X, y = load_clicks(parser.parse_args())
    n_train = int(len(y) * (1 - HELD_OUT))
    X_train, y_train, X_held, y_held = X[:n_train], y[:n_train], X[n_train:], y[n_train:]
    print(f"{n_train:,} rows to train, {len(y_held):,} held out, {X.shape[1]:,} columns")

    # What is called C where losses are added up is 1 / (alpha * rows) where they are averaged.
    alpha = 1 / (STRENGTH * n_train)
    models = {
        "constant": DummyClassifier(strategy="prior"),
        "SGDClassifier": SGDClassifier(
            loss="log_loss", alpha=alpha, max_iter=PASSES, tol=None, average=True, random_state=0
        ),
        "cirrus": CirrusLogisticRegression(
            C=STRENGTH, max_iter=PASSES, tol=None, n_workers=2, random_state=0
        ),
        # Holds out a tenth of its rows, and keeps the weights of the epoch that was best on them.
        "early stopping": CirrusLogisticRegression(
            C=STRENGTH, max_iter=PASSES, tol=None, early_stopping=True, n_workers=2, random_state=0
        ),
        # ftrl is the solver that leaves weights at zero.
        "elastic net": CirrusLogisticRegression(
            C=STRENGTH, l1_ratio=0.5, solver="ftrl", max_iter=PASSES, tol=None, n_workers=2,
            random_state=0,
        ),
    }  # fmt: skip
    print(f"{'':16}{'log loss':>10}{'AUC':>9}{'fit':>10}{'weights':>11}")
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        chances = model.predict_proba(X_held)[:, 1]
        loss, auc = log_loss(y_held, chances), roc_auc_score(y_held, chances)
        weights = np.count_nonzero(model.coef_) if hasattr(model, "coef_") else 0
        print(f"{name:16}{loss:10.4f}{auc:9.4f}{seconds:8.2f} s{weights:11,}")

    losses = [epoch["valid_loss"] for epoch in models["early stopping"].history_]
    best = int(np.argmin(losses))
    print(f"early stopping: epoch {best + 1} of {len(losses)}, held-out loss {losses[best]:.4f}")

    # A fitted model is numbers: it predicts without server and workers, and pickles.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clicks.joblib")
        joblib.dump(models["elastic net"], path, compress=True)
        size = path.stat().st_size / 2**20
        again = joblib.load(path)
    same = np.array_equal(again.predict_proba(X_held), models["elastic net"].predict_proba(X_held))
    print(f"saved and loaded: {size:.1f} MiB, {'the same' if same else 'OTHER'} predictions")


if __name__ == "__main__":
    main()
