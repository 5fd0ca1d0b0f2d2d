"""The scalers of datasets: scikit-learn's, fitted by map and reduce over blocks."""

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from cirrus_runtime.views import pack_numbers

from ._dataset import Dataset
from ._dataset.moments import check_columns, merge, moments_of, take_columns


class _Scaler:
    """What the scalers have in common: dispatch on datasets."""

    def _fit_dataset(self, data, goes_on):
        """Fit on a Dataset."""
        if not goes_on:
            self._reset()
        first = not hasattr(self, "n_samples_seen_")
        if not first:
            check_columns(self, data)
        self._learn(data)
        if first:
            take_columns(self, data)
        return self

    def transform(self, X, *args, **kwargs):
        """Transform arrays, as in scikit-learn, or a Dataset, lazily.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)
        *args, **kwargs
            As of scikit-learn's scaler; not with a Dataset.

        Returns
        -------
        array, sparse matrix or Dataset of shape (n_samples, n_features)
        """
        if not isinstance(X, Dataset):
            return super().transform(X, *args, **kwargs)
        return self._with_step(X, self._forward)

    def inverse_transform(self, X, *args, **kwargs):
        """Undo :meth:`transform`.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)
        *args, **kwargs
            As of scikit-learn's scaler; not with a Dataset.

        Returns
        -------
        array, sparse matrix or Dataset of shape (n_samples, n_features)
        """
        if not isinstance(X, Dataset):
            return super().inverse_transform(X, *args, **kwargs)
        return self._with_step(X, self._backward)

    def _with_step(self, data, make_step):
        """Return a Dataset with one more step."""
        check_is_fitted(self)
        check_columns(self, data)
        return data.with_step(make_step())


class CirrusStandardScaler(_Scaler, StandardScaler):
    """Standardize columns: zero mean and unit variance.

    Parameters, attributes and behaviour on arrays are those of
    :class:`sklearn.preprocessing.StandardScaler`.
    On a :class:`~sklearn_cirrus.Dataset` the moments of the blocks are merged [1]_, and
    ``transform`` returns a dataset. Columns of text have to be made numbers first. Sparse rows
    can only be scaled: pass ``with_mean=False``.

    Parameters
    ----------
    copy : bool, default=True
    with_mean, with_std : bool, default=True

    References
    ----------
    .. [1] Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance: analysis
       and recommendations", The American Statistician.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import CirrusStandardScaler, Dataset
    >>> data = Dataset.from_arrays(np.array([[0.0], [2.0]]))
    >>> CirrusStandardScaler().fit_transform(data).to_arrays()[0]
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    def fit(self, X, y=None, sample_weight=None):
        """Fit on arrays, as in scikit-learn, or on a Dataset, by workers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Dataset
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Not with a Dataset.

        Returns
        -------
        self
        """
        if not isinstance(X, Dataset):
            return super().fit(X, y, sample_weight)
        _refuse_weights(sample_weight)
        return self._fit_dataset(X, goes_on=False)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on fitting; see :meth:`fit`.

        Parameters
        ----------
        X : array-like or Dataset of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Not with a Dataset.

        Returns
        -------
        self
        """
        if not isinstance(X, Dataset):
            return super().partial_fit(X, y, sample_weight)
        _refuse_weights(sample_weight)
        return self._fit_dataset(X, goes_on=True)

    def _learn(self, data):
        if self.with_mean and not data.is_table:
            raise ValueError(
                "Cannot center sparse matrices: pass `with_mean=False` instead. See docstring for "
                "motivation and alternatives."
            )
        found = moments_of(data)
        if hasattr(self, "n_samples_seen_") and self.mean_ is not None:
            seen = np.broadcast_to(np.asarray(self.n_samples_seen_, float), found.count.shape)
            known = self.var_ is not None  # with_std=False has no use for it
            squares = np.where(seen > 0, self.var_ * seen, 0.0) if known else np.zeros_like(seen)
            found = merge(found.of(seen, self.mean_, squares), found)
        elif hasattr(self, "n_samples_seen_"):
            found = found.with_count(found.count + self.n_samples_seen_)
        count = found.count.astype(np.int64)
        self.n_samples_seen_ = count[0] if (count == count[0]).all() else count
        there = count > 0  # of a column without values nothing is known
        mean = np.where(there, found.mean, np.nan)
        self.mean_ = mean if self.with_mean or self.with_std else None
        self.var_ = None
        self.scale_ = None
        if self.with_std:
            self.var_ = np.where(there, found.squares / np.maximum(count, 1), np.nan)
            # Rounding leaves a constant column this much variance (Chan, Golub and LeVeque).
            eps = np.finfo(np.float64).eps
            bound = count * eps * self.var_ + (count * self.mean_ * eps) ** 2
            self.scale_ = np.where(self.var_ <= bound, 1.0, np.sqrt(self.var_))

    def _forward(self):
        scale = 1.0 / self.scale_ if self.with_std else None
        return _affine(scale, center=self.mean_ if self.with_mean else None)

    def _backward(self):
        scale = self.scale_ if self.with_std else None
        return _affine(scale, self.mean_ if self.with_mean else None)


class CirrusMinMaxScaler(_Scaler, MinMaxScaler):
    """Scale columns to a range.

    Parameters, attributes and behaviour on arrays are those of
    :class:`sklearn.preprocessing.MinMaxScaler`.
    On a :class:`~sklearn_cirrus.Dataset` of numbers the ranges of the blocks are merged, and
    ``transform`` returns a dataset.

    Parameters
    ----------
    feature_range : tuple of (min, max), default=(0, 1)
    copy : bool, default=True
    clip : bool, default=False

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import CirrusMinMaxScaler, Dataset
    >>> data = Dataset.from_arrays(np.array([[0.0], [1.0], [4.0]]))
    >>> CirrusMinMaxScaler().fit_transform(data).to_arrays()[0].ravel()
    array([0.  , 0.25, 1.  ], dtype=float32)
    """

    def fit(self, X, y=None):
        """Fit on an array, as in scikit-learn, or on a Dataset, by workers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Dataset
        y : ignored

        Returns
        -------
        self
        """
        if not isinstance(X, Dataset):
            return super().fit(X, y)
        return self._fit_dataset(X, goes_on=False)

    def partial_fit(self, X, y=None):
        """Go on fitting; see :meth:`fit`.

        Parameters
        ----------
        X : array-like or Dataset of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        if not isinstance(X, Dataset):
            return super().partial_fit(X, y)
        return self._fit_dataset(X, goes_on=True)

    def _learn(self, data):
        if not data.is_table:
            raise TypeError(
                "MinMaxScaler does not support sparse input. Consider using MaxAbsScaler instead."
            )
        found = moments_of(data)
        bounds = np.stack([found.least, found.largest])
        bounds[~np.isfinite(bounds)] = np.nan  # a column in which all is missing
        # Two rows that hold what there is between: the arithmetic is scikit-learn's.
        super().partial_fit(bounds)
        self.n_samples_seen_ += len(data) - len(bounds)

    def _forward(self):
        clip = [float(bound) for bound in self.feature_range] if self.clip else None
        return _affine(self.scale_, self.min_, clip=clip)

    def _backward(self):
        return _affine(1.0 / self.scale_, center=self.min_)


def _refuse_weights(sample_weight):
    """Refuse weights that would not be used."""
    if sample_weight is not None:
        raise ValueError("sample_weight cannot be used with a Dataset")


def _affine(scale, shift=None, center=None, clip=None):
    """Return a step of a view that moves columns; each part may be None."""
    arrays = {"center": center, "scale": scale, "shift": shift}
    packed = {name: None if a is None else pack_numbers(a) for name, a in arrays.items()}
    return {"step": "affine", **packed, "clip": clip}
