"""scikit-learn's own search on joblib's threads: concurrent fits on one pool."""

import threading

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_cirrus import CirrusLogisticRegression, config_context
from sklearn_cirrus.workers import local

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"C": [0.001, 0.01, 0.1, 1.0]}


def test_concurrent_fits_share_workers():
    random = np.random.default_rng(2)
    X = random.normal(size=(9000, 20)).astype(np.float32)
    y = (X[:, 0] - X[:, 1] + random.normal(size=9000) > 0).astype(int)
    clf = CirrusLogisticRegression(n_workers=2, max_iter=8, batch_size=500, random_state=0)
    pool = local.shared_pool()
    cap = pool._cap
    most, is_over = 0, threading.Event()

    def count():
        nonlocal most
        while not is_over.wait(0.005):
            most = max(most, len(pool._all))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        with joblib.parallel_config("threading", n_jobs=4), config_context(backend="local"):
            threaded = GridSearchCV(clf, GRID, cv=2, scoring="neg_log_loss").fit(X, y)
    finally:
        is_over.set()
        thread.join()
    with config_context(backend="inline"):
        clf.set_params(n_workers=1)
        alone = GridSearchCV(clf, GRID, cv=2, scoring="neg_log_loss").fit(X, y)
    assert 2 <= most <= max(cap, 2, joblib.cpu_count())  # a fit before may have asked for more
    scores = [search.cv_results_["mean_test_score"] for search in (threaded, alone)]
    np.testing.assert_allclose(*scores, atol=0.005)
    assert threaded.best_params_ == alone.best_params_
