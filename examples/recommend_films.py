"""Films to see: ratings of a CSV file factorized by two worker processes, five films for a user.

    python examples/recommend_films.py
    python examples/recommend_films.py ratings.csv --titles movies.csv --user 42 --plot films.png

The file is laid out as those of MovieLens (https://grouplens.org/datasets/movielens/): a line
"userId,movieId,rating,timestamp", then one line for each rating. Without a file, a small one of
made-up ratings is written to a temporary folder. A tenth of the ratings is hidden, and the error is
that on them. --plot draws it against the seconds of the fit and against the number of factors
(matplotlib is needed for that alone: pip install 'sklearn-cirrus[plots]').
"""

import argparse
import csv
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.datasets import load_ratings, make_ratings
from sklearn_cirrus.model_selection import Ratings, RatingsKFold, rating_rmse_scorer

EPOCHS = (1, 2, 4, 8, 16)
RANKS = (1, 2, 5, 10, 20)


def write_made_up(path):
    """Write ratings in the layout of MovieLens."""
    X = make_ratings(600, 400, 20_000, step=0.5, noise=0.6, random_state=0)
    users = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["userId", "movieId", "rating", "timestamp"])
        rows = zip(users, X.indices, X.data, strict=True)
        writer.writerows([user + 1, item + 1, rating, 0] for user, item, rating in rows)


def read_titles(path):
    """The title of each movieId, of a file with the columns movieId and title."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["movieId"]: row["title"] for row in csv.DictReader(file)}


def fit(ratings, **parameters):
    """A fitted model, and the seconds that it took."""
    model = CirrusMatrixFactorization(n_workers=2, random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # short fits are meant to be short
        start = time.perf_counter()
        model.fit(ratings)
        return model, time.perf_counter() - start


def plot(by_time, by_rank, constant, path):
    """Draw both curves of held-out errors."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    left.plot(*zip(*by_time, strict=True), marker="o", linestyle="")
    for epochs, point in zip(EPOCHS, by_time, strict=True):
        left.annotate(f"{epochs}", point, xytext=(4, 4), textcoords="offset points")
    left.set(xlabel="seconds of a whole fit, by number of epochs", ylabel="RMSE on hidden ratings")
    right.plot(*zip(*by_rank, strict=True), marker="o")
    right.set(xlabel="factors")
    for axes in (left, right):
        axes.axhline(constant, color="grey", linestyle=":", label="the mean rating")
    left.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings", nargs="?", type=Path, help="a CSV file as MovieLens has it")
    parser.add_argument("--titles", type=Path, help="a CSV file with columns movieId and title")
    parser.add_argument("--user", help="a userId (that of the most ratings)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="where to draw the curves")
    options = parser.parse_args()
    if options.ratings is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "ratings.csv")
            write_made_up(path)
            X, users, films = load_ratings(path)
    else:
        X, users, films = load_ratings(options.ratings)
    titles = read_titles(options.titles) if options.titles else {}
    print(f"{X.nnz:,} ratings of {X.shape[1]:,} films by {X.shape[0]:,} users")

    # The samples of Ratings are ratings: a fold of them hides ratings, not users.
    ratings = Ratings(X)
    train, hidden = next(RatingsKFold(10, random_state=0).split(ratings))
    train, hidden = ratings[train], ratings[hidden]
    constant = float(np.std(X.data))
    print(f"{'the mean rating':16}{'RMSE':>8}{constant:10.4f}")

    fit(train, max_iter=1)  # starts workers and server
    by_time, by_rank = [], []
    for epochs in EPOCHS:
        model, seconds = fit(train, max_iter=epochs, tol=None)
        by_time.append((seconds, -rating_rmse_scorer(model, hidden)))
        print(f"{f'{epochs} epochs':16}{'RMSE':>8}{by_time[-1][1]:10.4f}{seconds:8.2f} s")
    for rank in RANKS:
        model, seconds = fit(train, n_components=rank)
        by_rank.append((rank, -rating_rmse_scorer(model, hidden)))
        print(f"{f'{rank} factors':16}{'RMSE':>8}{by_rank[-1][1]:10.4f}{seconds:8.2f} s")
    if options.plot:
        plot(by_time, by_rank, constant, options.plot)

    model, _ = fit(ratings)  # on all of them
    row = int(np.argmax(np.diff(X.indptr)))
    if options.user is not None:
        found = np.flatnonzero(users.astype(str) == options.user)
        if not found.size:
            raise SystemExit(f"there is no user {options.user} in {options.ratings}")
        row = int(found[0])
    print(f"for user {users[row]}:")
    for film, stars in zip(*model.recommend(row, n_items=5), strict=True):
        if film >= 0:
            name = str(films[film])
            print(f"  {stars:4.2f}  {titles.get(name, f'film {name}')}")


if __name__ == "__main__":
    main()
