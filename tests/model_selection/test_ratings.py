"""Ratings as samples: what they hold, how they are taken apart and put together."""

import pickle

import numpy as np
import pandas
import pytest
from scipy import sparse
from sklearn.model_selection import ShuffleSplit, train_test_split
from sklearn.utils import shuffle

from sklearn_cirrus.model_selection import Ratings

X = np.array([[5.0, np.nan, 1.0, 0.0], [np.nan, 4.0, 2.0, np.nan], [np.nan] * 4])
USERS, ITEMS, VALUES = [0, 0, 0, 1, 1], [0, 2, 3, 1, 2], [5, 1, 0, 4, 2]


def stored(shape):
    return sparse.coo_array((VALUES, (USERS, ITEMS)), shape)


FORMS = {
    "dense": lambda X: X,
    "lists": lambda X: X.tolist(),
    "pandas": pandas.DataFrame,
    "float32": lambda X: X.astype(np.float32),
} | {
    form: lambda X, form=form: getattr(sparse, form)(stored(X.shape))
    for form in ("csr_array", "csr_matrix", "csc_array", "coo_matrix", "lil_array")
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_ratings(form):
    ratings = Ratings(FORMS[form](X))
    assert (ratings.n_users, ratings.n_items) == (3, 4)
    assert len(ratings) == 5 and ratings.shape == (5,)
    assert ratings.users.tolist() == USERS and ratings.items.tolist() == ITEMS
    assert ratings.values.tolist() == VALUES
    assert ratings.values.dtype == (np.float32 if form == "float32" else np.float64)
    assert np.array_equal(ratings.to_csr().toarray(), np.nan_to_num(X))
    assert ratings.to_csr().nnz == 5  # the zero is one of them


@pytest.mark.parametrize(
    "which",
    [
        [0, 3],
        np.array([4, 1]),
        slice(1, 4),
        slice(None, None, -1),
        np.array([True, False] * 2 + [True]),
    ],
    ids=str,
)
def test_indexing_gives_some_of_them(which):
    some = Ratings(X)[which]
    assert isinstance(some, Ratings)
    for found, all_of_them in ((some.users, USERS), (some.items, ITEMS), (some.values, VALUES)):
        assert np.array_equal(found, np.array(all_of_them)[which])
    expected = np.zeros(X.shape)
    expected[some.users, some.items] = some.values
    assert np.array_equal(some.to_csr().toarray(), expected)
    assert (some.n_users, some.n_items) == (3, 4)


def test_one_index_gives_one_rating_and_none_gives_none():
    assert Ratings(X)[3].values.tolist() == [4] == Ratings(X)[np.int64(-2)].values.tolist()
    none = Ratings(X)[[]]
    assert len(none) == 0 and none.to_csr().shape == (3, 4)
    with pytest.raises(IndexError):
        Ratings(X)[5]


def test_scikit_learn_takes_them_apart():
    ratings = Ratings(X)
    train, test = train_test_split(ratings, test_size=2, random_state=0)
    assert (len(train), len(test)) == (3, 2)
    assert np.array_equal((train.to_csr() + test.to_csr()).toarray(), ratings.to_csr().toarray())
    assert sorted(shuffle(ratings, random_state=0).values) == sorted(VALUES)
    assert all(len(part) == 4 for part, _ in ShuffleSplit(2, test_size=1).split(ratings))


def test_they_pickle_and_show_their_size():
    ratings = pickle.loads(pickle.dumps(Ratings(X)))
    assert repr(ratings) == "Ratings(n_ratings=5, n_users=3, n_items=4)"
    assert ratings.values.tolist() == VALUES


def test_they_are_no_array():
    with pytest.raises(TypeError, match="to_csr"):
        np.asarray(Ratings(X))


def test_weights_go_with_their_ratings():
    order = [4, 0, 2, 1, 3]
    assert Ratings(X)[order]._weights(np.array(order) / 10).tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_a_rating_twice_is_refused():
    with pytest.raises(ValueError, match="Ratings holds more than one value"):
        Ratings(X)[[0, 1, 0]].to_csr()
    twice = [1.0, 2.0]
    for matrix in (
        sparse.coo_array((twice, ([0, 0], [1, 1])), (2, 2)),
        sparse.csr_array((twice, [1, 1], [0, 2, 2]), (2, 2)),
        sparse.csc_array((twice, [0, 0], [0, 0, 2]), (2, 2)),
    ):
        assert matrix.nnz == 2
        with pytest.raises(ValueError, match="X holds more than one value"):
            Ratings(matrix)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1.0, 2.0], "2D"),
        (np.empty((0, 3)), "0 sample"),
        ([["a", "b"]], "could not convert"),
        ([[np.inf, 1.0]], "infinity"),
        (sparse.csr_array(([np.nan], [0], [0, 1]), (1, 2)), "what is missing is not stored"),
        (sparse.csr_array(([np.inf], [0], [0, 1]), (1, 2)), "infinity"),
        (sparse.csr_array(([1j], [0], [0, 1]), (1, 2)), "Complex"),
    ],
)
def test_what_is_no_matrix_of_ratings_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        Ratings(bad)


def test_indices_out_of_range_are_refused():
    broken = sparse.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), (2, 2))
    broken.indices[1] = 7
    with pytest.raises(ValueError, match="indices"):
        Ratings(broken)
