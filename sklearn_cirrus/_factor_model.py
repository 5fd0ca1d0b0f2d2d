"""What a fitted matrix factorization does: it needs neither server nor workers."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from cirrus_runtime.fold_in import fold_in

from ._dataset import Dataset
from ._fit_summary import FitSummary
from ._parameters import check_flag, check_integer
from ._rating_matrix import rating_matrix, rating_weights, rows_of

_PAIRS = 1 << 14  # ratings predicted together: their factors stay in the cache
_SCORES = 1 << 22  # scores computed together


class FactorModel(FitSummary, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A model whose fit leaves factors and biases of items and users, and their mean rating."""

    _rows_are = "ratings"

    def transform(self, X, *, rating_weight=None):
        """Find the factors of users from their ratings ("fold-in"), whether or not X was fitted.

        Each user is the exact solution of a ridge regression on the factors of the items that it
        has rated.

        Parameters
        ----------
        X : Ratings, sparse matrix, array-like or Dataset of shape (n_users, n_items)
        rating_weight : sparse matrix or array-like of shape (n_users, n_items), optional
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n_users, n_components + biased)
            Of X's dtype, if that is float32, otherwise float64. The last column is the bias, if
            ``biased``. Zeros for users without ratings. Ratings have ``n_users`` users.

        Raises
        ------
        ValueError
            If X or the weights are not what ``fit`` takes, or X has other items.
        """
        check_is_fitted(self)
        if isinstance(X, Dataset):
            from ._dataset_ratings import solve_users  # late: predicting needs no Redis client

            if rating_weight is not None:
                raise ValueError("rating_weight cannot be used with a Dataset")
            return solve_users(self, X)[0]
        matrix = rating_matrix(self, X, reset=False)
        return self._fold_in(matrix, rating_weights(rating_weight, X, matrix))

    def inverse_transform(self, X):
        """Predict the ratings of all items by users of these factors.

        Parameters
        ----------
        X : array-like of shape (n_users, n_components + biased)
            As ``transform`` returns them.

        Returns
        -------
        ndarray of shape (n_users, n_items)

        Raises
        ------
        ValueError
            If X is not of that shape, or not finite.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, expected the {self._n_features_out} that transform "
                "returns"
            )
        return self._predict_all(X)

    def score(self, X, y=None):
        """Return minus the root mean squared error of X's own ratings, after fold-in.

        This tells how well the model reproduces ratings that it is shown. How well it predicts
        others is for :func:`sklearn_cirrus.model_selection.rating_rmse_scorer` to say.

        Parameters
        ----------
        X : Ratings, sparse matrix, array-like or Dataset of shape (n_users, n_items)
        y : None
            Ignored.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If X is not what ``fit`` takes.
        """
        check_is_fitted(self)
        if isinstance(X, Dataset):
            from ._dataset_ratings import solve_users

            error = solve_users(self, X)[1]
            if error is None:
                raise ValueError("X has no rating to score")
            return -float(np.sqrt(error))
        matrix = rating_matrix(self, X, reset=False)
        if matrix.nnz == 0:
            raise ValueError("X has no rating to score")
        users, squares = self._fold_in(matrix), 0.0
        for first in range(0, matrix.nnz, _PAIRS):
            part = slice(first, min(first + _PAIRS, matrix.nnz))
            rows = rows_of(matrix, part.start, part.stop)
            errors = self._predict_some(users, rows, matrix.indices[part]) - matrix.data[part]
            squares += float(errors.astype(np.float64) @ errors)
        return -float(np.sqrt(squares / matrix.nnz))

    def predict_ratings(self, users, items=None, X=None):
        """Predict the ratings of items by users, one for each pair.

        An item that nobody had rated is predicted by the user's bias alone, a user without ratings
        by the item's.

        Parameters
        ----------
        users : int, array-like of int, or Dataset
            Rows of the X that was fitted, or of X if it is given. A table of a
            :class:`~sklearn_cirrus.Dataset` has users in its first column, items in its second; one
            that the model does not know is predicted as if it were without ratings.
        items : int or array-like of int
            Columns of X; users and items are broadcast against each other. Left out with a Dataset.
        X : Ratings, sparse matrix or array-like of shape (n_users, n_items), optional
            Ratings of other users, who are folded in.

        Returns
        -------
        ndarray of the broadcast shape
            Not clipped to the range of the ratings.

        Raises
        ------
        ValueError
            If users or items are no integers or out of range, or X is not what ``fit`` takes.
        """
        check_is_fitted(self)
        if isinstance(users, Dataset):
            from ._dataset_ratings import rate_pairs

            if items is not None or X is not None:
                raise ValueError("a Dataset has users and items: leave items and X out")
            return rate_pairs(self, users)
        factors = self.user_factors_
        if X is not None:
            factors = self._fold_in(rating_matrix(self, X, reset=False))
        users = _indices("users", users, len(factors))
        items = _indices("items", items, self.n_features_in_)
        try:
            users, items = np.broadcast_arrays(users, items)
        except ValueError as error:
            raise ValueError(
                f"users of shape {users.shape} and items of shape {items.shape} do not go together"
            ) from error
        predicted = np.empty(users.shape, factors.dtype)
        flat, users, items = predicted.reshape(-1), users.reshape(-1), items.reshape(-1)
        for first in range(0, len(flat), _PAIRS):
            part = slice(first, first + _PAIRS)
            flat[part] = self._predict_some(factors, users[part], items[part])
        return predicted

    def recommend(self, users, n_items=10, exclude_seen=True, X=None):
        """Find the items that users would rate highest.

        Parameters
        ----------
        users : int or array-like of int
            Rows of the X that was fitted, or of X if it is given.
        n_items : int, default=10
        exclude_seen : bool, default=True
            Whether to leave out the items that the user has rated in the X that was fitted, or in
            X if it is given. A model that was fitted on a Dataset needs X for that.
        X : Ratings, sparse matrix or array-like of shape (n_users, n_items), optional
            Ratings of other users, who are folded in.

        Returns
        -------
        items : int64 array of the shape of users, and (n_items,)
            The best first, and of equal ones the first; -1 where no item is left.
        scores : float array of the same shape
            Their predicted ratings; NaN where no item is left.

        Raises
        ------
        ValueError
            If users are no integers or out of range, or X is not what ``fit`` takes.
        """
        check_is_fitted(self)
        check_integer("n_items", n_items, 1)
        check_flag("exclude_seen", exclude_seen)
        seen, factors = self._seen, self.user_factors_
        if seen is None and X is None and exclude_seen:
            raise ValueError(
                "the ratings of a Dataset are not kept: pass exclude_seen=False, or the users' "
                "ratings as X"
            )
        if X is None:
            users = _indices("users", users, len(factors))
            rows = users.reshape(-1)
            factors = factors[rows]
        else:
            matrix = rating_matrix(self, X, reset=False)
            users = _indices("users", users, matrix.shape[0])
            rows = users.reshape(-1)
            factors, seen = self._fold_in(matrix[rows]), (matrix.indptr, matrix.indices)
        shape = (len(rows), n_items)
        best, scores = np.full(shape, -1, np.int64), np.full(shape, np.nan, factors.dtype)
        step = max(1, _SCORES // self.n_features_in_)
        for i in range(len(rows)):
            if i % step == 0:
                predicted = self._predict_all(factors[i : i + step])
            of_user = predicted[i % step]
            if exclude_seen:
                of_user[seen[1][seen[0][rows[i]] : seen[0][rows[i] + 1]]] = -np.inf
            found = _largest(of_user, n_items)
            best[i, : len(found)], scores[i, : len(found)] = found, of_user[found]
        return best.reshape(*users.shape, n_items), scores.reshape(*users.shape, n_items)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        """Number of columns that transform returns; scikit-learn names them."""
        return len(self.components_) + self._biased

    def _fold_in(self, matrix, weights=None):
        """Return the factors of the users of a validated matrix, of its dtype."""
        model = self.components_, self.item_bias_, self.mean_
        return fold_in(matrix, weights, *model, self._alpha, self._biased).astype(matrix.dtype)

    def _predict_all(self, users):
        """Return the ratings of all items by users of these factors."""
        k = len(self.components_)
        predicted = users[:, :k] @ self.components_.astype(users.dtype)
        predicted += (self.item_bias_ + self.mean_).astype(users.dtype)
        predicted += users[:, k:].sum(axis=1, keepdims=True)
        return predicted

    def _predict_some(self, factors, users, items):
        """Return the ratings of pairs of rows of factors and items."""
        k, users = len(self.components_), factors[users]
        predicted = np.einsum("ij,ji->i", users[:, :k], self.components_[:, items])
        return predicted + users[:, k:].sum(axis=1) + self.item_bias_[items] + self.mean_


def _largest(scores, n):
    """Return where the n largest scores are, in order; less if there are not that many."""
    n = min(n, len(scores))
    least = np.partition(scores, -n)[-n]
    found = np.flatnonzero(scores >= least)
    found = found[np.argsort(-scores[found], kind="stable")[:n]]
    return found[scores[found] > -np.inf]


def _indices(name, values, n):
    """Return indices as an integer array, or refuse them."""
    values = np.asarray(values)
    if values.size == 0:
        return values.astype(np.intp)
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, not of dtype {values.dtype}")
    bad = (values < 0) | (values >= n)
    if bad.any():
        raise ValueError(f"{name} must lie in 0 to {n - 1}; {values[bad][0]} does not")
    return values.astype(np.intp)
