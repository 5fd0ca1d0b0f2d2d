"""The defaults on real ratings: the error of a random five-fold cross-validation."""

import numpy as np

from sklearn_cirrus import CirrusMatrixFactorization
from sklearn_cirrus.datasets import load_ratings
from sklearn_cirrus.model_selection import Ratings


def test_defaults_predict_better_than_surprise(data_dir):
    """Surprise's SVD, with its defaults, has 0.8726 on random folds of ml-latest-small."""
    X, _, _ = load_ratings(data_dir / "ml-latest-small" / "ratings.csv")
    ratings = Ratings(X)
    order = np.random.default_rng(0).permutation(X.nnz)
    errors = []
    for fold in range(5):
        held = np.zeros(X.nnz, bool)
        held[order[fold::5]] = True
        train, test = ratings[~held], ratings[held]
        model = CirrusMatrixFactorization(backend="inline", random_state=0).fit(train)
        predicted = model.predict_ratings(test.users, test.items)
        errors.append(np.sqrt(np.mean((predicted - test.values) ** 2)))
    assert np.mean(errors) <= 0.87
