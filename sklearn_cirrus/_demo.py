"""``sklearn-cirrus demo``: the same model by scikit-learn and by worker processes, side by side."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_digits, load_svmlight_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from .config import config_context
from .linear_model import CirrusLogisticRegression

_A9A_FEATURES = 123  # the last ones are absent from the test file


def run_demo(data: Path | None = None, workers: int = 2) -> None:
    """Train on real data with both libraries and print a table.

    Parameters
    ----------
    data : Path, optional
        Folder with ``a9a`` and ``a9a.t``. By default the one of CIRRUS_DATA, or
        ``../shared/data``; left out when the files are not there.
    workers : int, default=2
        Number of worker processes.

    Raises
    ------
    CirrusError
        A fit cannot run.
    """
    rows = []
    for name, load in _data_sets(data):
        X_train, X_test, y_train, y_test = load()
        classes = len(set(y_train))
        print(
            f"{name}: {X_train.shape[0]:,} rows to train, {X_test.shape[0]:,} held out, "
            f"{X_train.shape[1]} features, {classes} classes",
            flush=True,
        )
        # Printed before the fit, so that the progress bar stands below what it is about.
        cirrus = CirrusLogisticRegression(n_workers=workers, random_state=0, verbose=1)
        with config_context(backend="local"):
            figures = _measure(cirrus, X_train, X_test, y_train, y_test)
        rows.append((name, "cirrus", *figures))
        local = LogisticRegression(max_iter=1000)
        rows.append((name, "scikit-learn", *_measure(local, X_train, X_test, y_train, y_test)))
    print()
    print(_table(rows))
    print()
    print(
        f"Both minimise the same objective (C=1). cirrus used up to {workers} worker processes,\n"
        "never more than its data has blocks; its first fit also started them and the server,\n"
        "which later fits share."
    )


def _data_sets(data: Path | None) -> Iterator[tuple[str, Callable[[], tuple]]]:
    """Give each data set's name and how to load it: X_train, X_test, y_train, y_test."""
    yield "breast_cancer", lambda: _split_and_scale(*load_breast_cancer(return_X_y=True))
    yield "digits", lambda: _split_and_scale(*load_digits(return_X_y=True))
    folder = data or Path(os.environ.get("CIRRUS_DATA") or "../shared/data")
    if (folder / "a9a").is_file() and (folder / "a9a.t").is_file():
        yield "a9a", lambda: _load_a9a(folder)
    elif data is not None:
        print(f"a9a is left out: {folder} does not hold the files a9a and a9a.t")


def _split_and_scale(X, y) -> tuple:
    """Hold a quarter of the rows out, and standardise by the rest."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def _load_a9a(folder: Path) -> tuple:
    """Read both files; binary features need no scaling."""
    X_train, y_train = load_svmlight_file(str(folder / "a9a"), n_features=_A9A_FEATURES)
    X_test, y_test = load_svmlight_file(str(folder / "a9a.t"), n_features=_A9A_FEATURES)
    return X_train, X_test, y_train, y_test


def _measure(estimator, X_train, X_test, y_train, y_test) -> tuple[float, float, float]:
    """Fit; give the held-out accuracy and log loss, and the seconds of the fit."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True, category=ConvergenceWarning) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    for warning in caught:
        print(f"    note: {warning.message}", flush=True)
    loss = log_loss(y_test, estimator.predict_proba(X_test))
    return accuracy_score(y_test, estimator.predict(X_test)), loss, seconds


def _table(rows: list[tuple]) -> str:
    """Lay the figures out, one line per fit, data sets apart."""
    lines = [f"{'':15}{'':20}{'accuracy':>10}{'log loss':>10}{'fit':>10}"]
    shown = None
    for name, who, accuracy, loss, seconds in rows:
        title = name if name != shown else ""
        shown = name
        lines.append(f"{title:15}{who:20}{accuracy:10.4f}{loss:10.4f}{seconds:8.2f} s")
    return "\n".join(lines)
