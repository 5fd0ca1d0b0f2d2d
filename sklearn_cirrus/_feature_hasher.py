"""The feature hasher of datasets: scikit-learn's, applied by whoever reads a block."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction import FeatureHasher

from cirrus_runtime.hashing import NUMBERS, hash_table

from ._dataset import Dataset
from ._dataset.arrays import as_table


class CirrusFeatureHasher(FeatureHasher):
    """Hash features into columns.

    On dicts, pairs and strings it behaves as :class:`sklearn.feature_extraction.FeatureHasher`.
    A :class:`~sklearn_cirrus.Dataset` or a DataFrame is taken as dicts, one for each row, of the
    values by the names of their columns: a text t of column c becomes the feature ``"c=t"`` with
    value 1, a number x the feature ``"c"`` with value x, and what is missing none. A Dataset is
    hashed lazily, by the workers that read it.

    Parameters
    ----------
    n_features : int, default=2**20
    input_type : {"dict", "pair", "string"}, default="dict"
        Of what is neither a Dataset nor a DataFrame.
    dtype : numpy dtype, default=np.float64
        Of the result; that of a Dataset is float32 or float64.
    alternate_sign : bool, default=True
    numbers : {"value", "buckets"}, default="value"
        ``"buckets"``: numbers x of a Dataset or DataFrame become texts, floor(log(1 + x)^2), or -1
        below zero: counts with heavy tails serve a linear model better so.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import CirrusFeatureHasher, Dataset
    >>> data = Dataset.from_arrays(np.array([[3.0, 0.0], [0.0, 5.0]]))
    >>> CirrusFeatureHasher(8, alternate_sign=False).fit_transform(data).shape
    (2, 8)
    """

    def __init__(
        self,
        n_features=2**20,
        *,
        input_type="dict",
        dtype=np.float64,
        alternate_sign=True,
        numbers="value",
    ):
        super().__init__(
            n_features, input_type=input_type, dtype=dtype, alternate_sign=alternate_sign
        )
        self.numbers = numbers

    def fit(self, X=None, y=None):
        """Validate the parameters; there is nothing to learn.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self
        """
        if self.numbers not in NUMBERS:
            raise ValueError(f"numbers must be one of {', '.join(NUMBERS)}, got {self.numbers!r}")
        return super().fit(None if isinstance(X, Dataset) else X, y)

    def transform(self, raw_X):
        """Hash a Dataset (lazily), a DataFrame, or what scikit-learn's hasher takes.

        Parameters
        ----------
        raw_X : Dataset, DataFrame or iterable of shape (n_samples,)

        Returns
        -------
        Dataset or csr_array of shape (n_samples, n_features)
        """
        self.fit()
        if isinstance(raw_X, Dataset):
            if not raw_X.is_table:
                raise ValueError("only a dataset with columns can be hashed, and this has rows")
            dtype = np.dtype(self.dtype).name
            if dtype not in ("float32", "float64"):
                raise ValueError(f"dtype of a dataset must be float32 or float64, not {dtype}")
            return raw_X.with_step({
                "step": "hash",
                "n_features": int(self.n_features),
                "signed": bool(self.alternate_sign),
                "numbers": self.numbers,
                "dtype": dtype,
            })  # fmt: skip
        if not (hasattr(raw_X, "iloc") and hasattr(raw_X, "columns")):
            return super().transform(raw_X)
        table = as_table(raw_X, np.float64)
        block = hash_table(table, self.n_features, self.alternate_sign, self.numbers, np.float64)
        data = np.ones(len(block.indices)) if block.data is None else block.data
        arrays = data, block.indices.astype(np.int32), block.indptr.astype(np.int32)
        return csr_array(arrays, shape=(table.n_rows, self.n_features), dtype=self.dtype)
