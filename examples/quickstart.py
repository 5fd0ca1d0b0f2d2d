"""Quickstart: click prediction on 50,000 rows of a million columns, with two worker processes.

    python examples/quickstart.py

The first fit starts the workers and an embedded parameter server; both end with this process.
scikit-learn's SGDClassifier minimises the same objective, over as many passes.
"""

import time

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.datasets import make_clicks

N_TRAIN, N_HELD_OUT, PASSES, C = 50_000, 10_000, 15, 0.05


def main():
    X, y, truth = make_clicks(N_TRAIN + N_HELD_OUT, random_state=0, return_probabilities=True)
    X_train, y_train, X_held, y_held = X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]
    print(f"{X_train.shape[0]:,} rows, {X.shape[1]:,} columns, {X_train.nnz:,} entries")

    models = {
        "constant": DummyClassifier(strategy="prior"),
        # tol=None: all passes are made. alpha is what C is called where losses are averaged.
        "SGDClassifier": SGDClassifier(
            loss="log_loss", alpha=1 / (C * N_TRAIN), max_iter=PASSES, tol=None, random_state=0
        ),
        "cirrus": CirrusLogisticRegression(
            C=C, max_iter=PASSES, tol=None, n_workers=2, random_state=0
        ),
    }
    print(f"{'':16}{'held-out log loss':>18}{'fit':>10}")
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        loss = log_loss(y_held, model.predict_proba(X_held))
        print(f"{name:16}{loss:18.4f}{seconds:8.2f} s")
    print(f"{'true chances':16}{log_loss(y_held, truth[N_TRAIN:]):18.4f}")

    last = models["cirrus"].history_[-1]
    print(
        f"last pass of cirrus: {last['workers']} workers, {last['updates']} updates of the model, "
        f"{last['server_bytes'] / 2**20:.0f} MiB to and from the server"
    )


if __name__ == "__main__":
    main()
