"""The ratings that all sides of ``factorization.py`` learn from and are judged on."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from sklearn_cirrus.datasets import load_ratings, make_ratings


@dataclass(frozen=True)
class Split:
    """Ratings to train on, and ratings held out.

    Attributes
    ----------
    X : csr_array of shape (n_users, n_items), float32
    users, items : int arrays of shape (n_held,)
    ratings : float32 array of shape (n_held,)
    lowest, highest : float
        The scale of the ratings.
    """

    X: csr_array
    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    lowest: float
    highest: float

    def rmse(self, predictions, clip=True):
        """Return the error on the held-out ratings, predictions being held to the scale."""
        if clip:
            predictions = np.clip(predictions, self.lowest, self.highest)
        return float(np.sqrt(np.mean((predictions - self.ratings) ** 2)))


def split(X, held):
    """Hold out the ratings of a mask over the stored entries."""
    users = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    indptr = np.concatenate([[0], np.cumsum(~held)])[X.indptr].astype(X.indptr.dtype)
    kept = csr_array((X.data[~held], X.indices[~held], indptr), shape=X.shape)
    scale = float(X.data.min()), float(X.data.max())
    return Split(kept, users[held], X.indices[held], X.data[held], *scale)


def random_folds(X, n_folds, seed):
    """Yield the splits of a random cross-validation over the ratings."""
    order = np.random.default_rng(seed).permutation(X.nnz)
    for fold in range(n_folds):
        held = np.zeros(X.nnz, bool)
        held[order[fold::n_folds]] = True
        yield split(X, held)


def load_movielens(folder):
    """Return the ratings of ml-latest-small; ends the program where the file is missing."""
    path = Path(folder or ".") / "ml-latest-small" / "ratings.csv"
    if folder is None or not path.is_file():
        sys.exit(
            f"{path} is missing: name the folder of ml-latest-small by --data-dir or "
            "CIRRUS_TEST_DATA, or leave it out with --data made"
        )
    return load_ratings(path)[0]


def splits_of(name, options):
    """Return the splits of a data set: five folds of MovieLens, or a tenth of made ones."""
    if name == "movielens":
        return list(random_folds(load_movielens(options.data_dir), 5, options.seed))
    X = make_ratings(options.users, options.items, options.ratings, random_state=options.seed)
    return [next(random_folds(X, 10, options.seed))]
