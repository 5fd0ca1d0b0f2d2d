"""Tuning: which penalty and class weight suit these clicks? All candidates are trained together.

    python examples/tune_clicks.py
    python examples/tune_clicks.py --rows 200000 --halving 3

The candidates share every pass over the data: workers read a minibatch once and step all of them on
it. After every epoch a line tells how they stand. When the best of them is at either end of the
grid, the search is given another one beyond it while it runs.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from sklearn_cirrus import CirrusLogisticRegression
from sklearn_cirrus.datasets import make_clicks
from sklearn_cirrus.model_selection import CirrusSearchCV

PASSES = 5
STRENGTHS = np.geomspace(0.01, 1.0, 5).round(4).tolist()


def watch(search):
    """Print the leaders; go beyond the grid if the best is at its end."""
    best = search.leaderboard_[0]
    print(
        f"epoch {best['epochs']}: {len(search.leaderboard_)} candidates, best {best['params']}, "
        f"held-out log loss {best['held_out_loss']:.4f}"
    )
    tried = [row["params"]["C"] for row in search.leaderboard_]
    if best["epochs"] == 2 and best["params"]["C"] in (min(tried), max(tried)):
        further = best["params"]["C"] * (10 if best["params"]["C"] == max(tried) else 0.1)
        search.add_candidates({"C": [further]})
        print(f"C={further:g} joins")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="made-up clicks (20000)")
    parser.add_argument("--halving", type=float, help="drop losers early, by this factor")
    options = parser.parse_args()
    X, y = make_clicks(options.rows, n_features=2**16, random_state=0)
    n_train = int(len(y) * 0.8)
    clf = CirrusLogisticRegression(max_iter=PASSES, tol=None, random_state=0)
    search = CirrusSearchCV(
        clf,
        {"C": STRENGTHS, "class_weight": [None, "balanced"]},
        cv=StratifiedKFold(3),
        halving=options.halving,
        min_epochs=1,
        callback=watch,
    )
    begin = time.perf_counter()
    search.fit(X[:n_train], y[:n_train])
    seconds = time.perf_counter() - begin
    fits = len(search.cv_results_["params"]) * search.n_splits_
    print(f"{fits} fits and the refit of the best in {seconds:.1f} s")
    print(f"best: {search.best_params_}, log loss {-search.best_score_:.4f} in cross-validation")
    held = log_loss(y[n_train:], search.predict_proba(X[n_train:]))
    constant = log_loss(y[n_train:], np.full(len(y) - n_train, y[:n_train].mean()))
    print(f"constant     {constant:.4f}")
    print(f"search       {held:.4f}")


if __name__ == "__main__":
    main()
