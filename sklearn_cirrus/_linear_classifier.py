"""Prediction of linear classifiers: from weights alone, without a server."""

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._dataset import Dataset
from ._fit_summary import FitSummary


class LinearClassifier(FitSummary, ClassifierMixin, BaseEstimator):
    """A classifier whose fit leaves ``coef_``, ``intercept_`` and ``classes_``."""

    def decision_function(self, X):
        """Return the margins of rows.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Binary: positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        if isinstance(X, Dataset):
            from ._dataset.margins import margins_of  # late: predicting needs no Redis client

            scores = margins_of(X, self)
            return scores[:, 0] if scores.shape[1] == 1 else scores
        X = self._validate(X, reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Return the most probable class of rows.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        indices = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[indices.astype(int)]

    def predict_proba(self, X):
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of every class, exact also where it is small.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)

    def score(self, X, y=None, sample_weight=None):
        """Return the share of rows whose class is predicted.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            May be left out with a Dataset, which has labels of its own.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        if isinstance(X, Dataset) and y is None:
            y = X.y
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _validate(self, X, y="no_validation", *, reset):
        """Validate X, and y if given, as scikit-learn does."""
        checks = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "reset": reset}
        if isinstance(y, str):
            return validate_data(self, X, **checks)
        X, y = validate_data(self, X, y, **checks)
        check_classification_targets(y)
        return X, y
