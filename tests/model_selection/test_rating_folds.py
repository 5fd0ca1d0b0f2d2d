"""RatingsKFold hides every rating once, and of every user as evenly as can be."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, check_cv

from sklearn_cirrus.model_selection import Ratings, RatingsKFold


@pytest.fixture(scope="module")
def ratings():
    """Users of 0, 1, 2, ... ratings, in random order."""
    random = np.random.default_rng(0)
    rated = np.arange(30)[random.permutation(30), None] > np.arange(40)
    return Ratings(sparse.csr_array(rated.astype(float)))[random.permutation(rated.sum())]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("n_splits", [2, 5, 7])
def test_folds(ratings, n_splits, shuffle):
    folds = RatingsKFold(n_splits, shuffle=shuffle)
    assert folds.get_n_splits() == folds.get_n_splits(ratings) == n_splits
    tests = []
    counts = np.bincount(ratings.users, minlength=30)
    for train, test in folds.split(ratings):
        assert np.array_equal(np.sort([*train, *test]), np.arange(len(ratings)))
        tests.append(test)
        in_fold = np.bincount(ratings.users[test], minlength=30)
        assert (in_fold >= counts // n_splits).all()
        assert (in_fold <= -(-counts // n_splits)).all()
    assert len(tests) == n_splits
    assert np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(ratings)))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_decides(ratings):
    def first(**parameters):
        return next(RatingsKFold(**parameters).split(ratings))[1].tolist()

    assert first(random_state=3) == first(random_state=3) != first(random_state=4)
    assert first(shuffle=False) == first(shuffle=False, random_state=1)
    assert first() != first()


def test_scikit_learn_knows_it(ratings):
    folds = RatingsKFold(3, random_state=1)
    assert check_cv(folds) is folds
    assert repr(folds) == "RatingsKFold(n_splits=3, random_state=1, shuffle=True)"
    assert len(list(KFold(3).split(ratings))) == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 1}, "n_splits must be an integer, 2 or more"),
        ({"n_splits": 2.0}, "n_splits"),
        ({"shuffle": 1}, "shuffle must be True or False"),
        ({"random_state": "zero"}, "random_state"),
        ({"n_splits": 1000}, "n_splits=1000 is greater than the number of ratings: 435"),
    ],
)
def test_bad_parameters(ratings, parameters, message):
    with pytest.raises(ValueError, match=message):
        next(RatingsKFold(**parameters).split(ratings))


def test_users_are_not_split():
    with pytest.raises(ValueError, match=r"pass Ratings\(X\) in place of X, a csr_array"):
        next(RatingsKFold().split(sparse.csr_array(np.ones((9, 9)))))
