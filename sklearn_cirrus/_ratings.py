"""Ratings as samples.

Here, and not in ``model_selection``, so that an estimator that takes them need not load what
splits them.
"""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

_MANY = "{} holds more than one value for the same user and item: keep one, or their mean"


class Ratings:
    """The ratings in a matrix of users and items, as samples.

    Each rating is one sample: the length is the number of ratings, and indexing gives some of them,
    of the same users and items. So whatever splits samples (cross-validation,
    :class:`RatingsKFold`, :func:`sklearn.model_selection.train_test_split`) hides ratings of users
    that are known from their other ratings, where splitting the matrix itself would hide users.
    :class:`~sklearn_cirrus.CirrusMatrixFactorization` takes it wherever it takes the matrix.

    Parameters
    ----------
    X : sparse matrix or array-like of shape (n_users, n_items)
        Sparse: what is stored are the ratings, zeros too. Dense: NaN is no rating. Numbers other
        than float32 become float64.

    Attributes
    ----------
    users : integer array of shape (n_ratings,)
        Rows of X.
    items : integer array of shape (n_ratings,)
        Columns of X.
    values : float32 or float64 array of shape (n_ratings,)
        The ratings.
    n_users, n_items : int
        The shape of X.

    Raises
    ------
    ValueError
        If X is no matrix of numbers, has infinite ratings or more than one rating of the same item
        by the same user.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus.model_selection import Ratings
    >>> ratings = Ratings([[5.0, np.nan, 1.0], [np.nan, 4.0, 2.0]])
    >>> ratings
    Ratings(n_ratings=4, n_users=2, n_items=3)
    >>> ratings[[0, 3]].values
    array([5., 2.])
    """

    def __init__(self, X):
        checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan"}
        matrix = csr_of_ratings(check_array(X, accept_sparse=["csr", "coo"], **checks))
        self.n_users, self.n_items = matrix.shape
        rows = np.arange(self.n_users, dtype=matrix.indices.dtype)
        self.users = np.repeat(rows, np.diff(matrix.indptr))
        self.items = matrix.indices
        self.values = matrix.data

    @property
    def shape(self):
        """Number of ratings, as a tuple: what scikit-learn takes the number of samples from."""
        return (len(self),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, which):
        if isinstance(which, tuple) and which[1:] == (Ellipsis,):
            which = which[0]  # this is how scikit-learn takes rows
        if isinstance(which, Integral):
            which = [which]  # ratings all the same
        return self._with(self.users[which], self.items[which], self.values[which])

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Ratings are no array: use to_csr(), or users, items and values")

    def __repr__(self):
        return f"Ratings(n_ratings={len(self)}, n_users={self.n_users}, n_items={self.n_items})"

    def to_csr(self):
        """Return the ratings as a matrix.

        Returns
        -------
        CSR array of shape (n_users, n_items)
            With sorted indices, of which each row and column is there once.

        Raises
        ------
        ValueError
            If a rating is there twice, as in a bootstrap sample.
        """
        shape = self.n_users, self.n_items
        matrix = sparse.csr_array((self.values, (self.users, self.items)), shape=shape)
        if matrix.nnz != len(self):
            raise ValueError(_MANY.format("Ratings"))
        return matrix

    def _with(self, users, items, values):
        """Return ratings of the same users and items."""
        other = object.__new__(Ratings)
        other.n_users, other.n_items = self.n_users, self.n_items
        other.users, other.items, other.values = users, items, values
        return other

    def _weights(self, weights):
        """Return weights of these ratings, of shape (n_ratings,), in the order of ``to_csr``."""
        return self._with(self.users, self.items, weights).to_csr().data


def csr_of_ratings(X, name="X"):
    """Return the ratings in a matrix.

    Parameters
    ----------
    X : array, CSR or COO matrix of shape (n_users, n_items), float32 or float64
        Sparse: what is stored are the ratings. Dense: NaN is no rating.
    name : str
        What errors call X.

    Returns
    -------
    CSR array of shape (n_users, n_items)
        With sorted indices, each once, in contiguous arrays; it shares them with X where it can.

    Raises
    ------
    ValueError
        If indices are out of range or there more than once, or a rating is not finite.
    """
    if not sparse.issparse(X):
        rated = ~np.isnan(X)
        indptr = np.concatenate([[0], np.cumsum(rated.sum(axis=1))])
        items = np.ascontiguousarray(np.nonzero(rated)[1])
        return sparse.csr_array((X[rated], items, indptr), shape=X.shape)
    if X.format == "coo":
        matrix = sparse.csr_array(X)  # adds up what is there more than once
    else:
        parts = map(np.ascontiguousarray, (X.data, X.indices, X.indptr))
        matrix = sparse.csr_array(tuple(parts), shape=X.shape)
    matrix.check_format(full_check=True)
    if not matrix.has_sorted_indices:
        matrix = matrix.copy() if X.format != "coo" else matrix
        matrix.sort_indices()
    if matrix.nnz != X.nnz or not matrix.has_canonical_format:
        raise ValueError(_MANY.format(name))
    if not np.isfinite(matrix.data).all():
        raise ValueError(
            f"{name} stores NaN or infinity: in a sparse matrix, what is missing is not stored"
        )
    return matrix
