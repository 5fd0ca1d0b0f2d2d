"""Searches on joblib's threads, and what they leave."""

import os
import threading
import time
from multiprocessing.dummy import DummyProcess
from pathlib import Path

import joblib
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_cirrus import CirrusLogisticRegression, _shared_blocks
from sklearn_cirrus._scratch import scratch_folder

BLOCK = 1 << 16
FOLDS = KFold(3)
CANDIDATES = {"C": [0.0001, 0.01, 0.1, 1.0]}


def search(
    X, y, grid=CANDIDATES, *, threads=4, cv=FOLDS, scoring="neg_log_loss", error_score="raise",
    fit_params=None, **params,
):  # fmt: skip
    """Search with threads, or without any; return the search."""
    params = {"n_workers": 1, "max_iter": 2, "tol": None, "random_state": 0} | params
    clf = CirrusLogisticRegression(backend="local", **params)
    made = GridSearchCV(*(clf, grid), cv=cv, scoring=scoring, refit=False, error_score=error_score)
    with joblib.parallel_config("threading", n_jobs=threads):
        return made.fit(X, y, **(fit_params or {}))


def what_is_left(folder):
    """Return threads of pools, and blocks on the books and in the store."""
    threads = [
        thread
        for thread in threading.enumerate()
        if isinstance(thread, DummyProcess) or thread.name == "cirrus-shared-blocks"
    ]
    files = [name for *_, names in os.walk(Path(folder, "runs")) for name in names]
    return threads + list(_shared_blocks._shelves) + files


def wait_until_nothing_is_left(folder=None):
    """Wait until all fits have ended, abandoned ones too, and all blocks are gone."""
    deadline = time.monotonic() + 60
    while left := what_is_left(folder or scratch_folder()):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
