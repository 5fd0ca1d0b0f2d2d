"""The defaults on real ratings: the error of a random five-fold cross-validation."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_cirrus import CirrusMatrixFactorization, Dataset, config_context
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


def test_a_file_of_raw_ids_is_learnt_as_well(data_dir):
    path = data_dir / "ml-latest-small" / "ratings.csv"
    X, users, items = load_ratings(path)
    with config_context(backend="inline", block_bytes=1 << 19):
        data = Dataset.from_csv(path, types={"timestamp": "skip"})
        table = data.to_arrays()[0]
        held = np.random.default_rng(0).random(len(data)) < 0.2
        model = CirrusMatrixFactorization(random_state=0)
        of_dataset = model.fit(data[~held]).predict_ratings(data[held])
        assert model.n_features_in_ == items.max() + 1
        rows, columns = np.searchsorted(users, table[:, 0]), np.searchsorted(items, table[:, 1])
        kept = sparse.csr_array((table[~held, 2], (rows[~held], columns[~held])), X.shape)
        of_matrix = model.fit(kept).predict_ratings(rows[held], columns[held])
    errors = [np.sqrt(np.mean((p - table[held, 2]) ** 2)) for p in (of_dataset, of_matrix)]
    assert errors[0] == pytest.approx(errors[1], rel=5e-3)
