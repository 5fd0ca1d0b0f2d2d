"""Pipeline and GridSearchCV: choose solver and C for handwritten digits.

    python examples/pipeline_grid_search.py

The data are small, so the fits of the search run in this process (backend "inline"): there is no
work to share, and nothing needs to be started. The winner is then fitted by worker processes, and
compared with scikit-learn's LogisticRegression at the same C.
"""

import time

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_cirrus import CirrusLogisticRegression, config_context

SOLVERS = ["adagrad", "adam"]
STRENGTHS = [0.01, 0.1, 1.0]


def main():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    cirrus = CirrusLogisticRegression(max_iter=300, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), cirrus)
    grid = {"cirruslogisticregression__C": STRENGTHS, "cirruslogisticregression__solver": SOLVERS}

    start = time.perf_counter()
    with config_context(backend="inline"):
        search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=3, refit=False)
        search.fit(X_train, y_train)
    n_fits = 3 * len(SOLVERS) * len(STRENGTHS)
    print(f"{n_fits} fits in {time.perf_counter() - start:.1f} s; mean log loss of 3 folds:")

    # GridSearchCV goes through the grid with the last name fastest: solvers within a C.
    losses = -search.cv_results_["mean_test_score"].reshape(len(STRENGTHS), len(SOLVERS))
    print(f"{'':10}" + "".join(f"{solver:>12}" for solver in SOLVERS))
    for strength, row in zip(STRENGTHS, losses, strict=True):
        print(f"C={strength:<8}" + "".join(f"{loss:12.4f}" for loss in row))

    best = search.best_params_
    print(f"best: {best}")
    with config_context(backend="local", n_workers=2):
        winner = clone(pipeline).set_params(**best).fit(X_train, y_train)
    exact = make_pipeline(
        MinMaxScaler(),
        LogisticRegression(C=best["cirruslogisticregression__C"], max_iter=1000),
    ).fit(X_train, y_train)
    print(f"held-out accuracy: cirrus       {winner.score(X_test, y_test):.3f}")
    print(f"                   scikit-learn {exact.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main()
