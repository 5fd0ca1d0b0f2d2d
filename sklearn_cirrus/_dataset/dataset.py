"""``Dataset``: a lazy handle on blocks in a store."""

import numpy as np

from .columns import Columns
from .derived import Derived
from .makers import Makers
from .reading import read_arrays, read_head, read_label_indices
from .selection import blocks_of, select_rows, view_of

_LARGEST = 1 << 30


class Dataset(Columns, Makers, Derived):
    """Rows in a store, that workers read block by block: more than fit into memory.

    Made by :meth:`from_csv`, :meth:`from_criteo`, :meth:`from_libsvm`, :meth:`from_parquet`,
    :meth:`from_arrays`, or :meth:`open`. Estimators of this package take it as X; its labels are
    y unless another one is given. Indexing with an array of row numbers, a mask or a slice gives
    the dataset of these rows, and copies nothing.

    Parameters
    ----------
    url : str
    manifest : Manifest
    steps : sequence of dict
        What is done to the blocks when they are read.
    rows : int64 array or None
        Which rows, by their numbers; None: all.
    cost : float

    Attributes
    ----------
    url : str
        Store of the blocks. Those of a dataset that was made without a url go with the process.
    shape : tuple of int
        (n_rows, n_columns).
    columns : list of str or None
        Names of the columns.
    dtypes : dict of str to str, or str
        Of each column, ``"text"`` if it holds text; of all, if they have no names.
    classes : ndarray or None
        Distinct labels, sorted.
    y : ndarray of shape (n_rows,)
        Labels.
    skipped_rows : int
        Bad rows that were left out when the files were loaded.
    cost : float
        US dollars that loading has cost; 0.0 on this machine.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import Dataset
    >>> data = Dataset.from_arrays(np.eye(4), [0, 1, 0, 1])
    >>> data
    Dataset(4 rows x 4 columns, 1 block, 2 classes)
    >>> data[:2].y
    array([0, 1])
    """

    ndim = 2

    def __init__(self, url, manifest, *, steps=(), rows=None, cost=0.0):
        self.url = url
        self.cost = cost
        self.manifest = manifest
        self.steps = tuple(steps)
        self._rows, self._sorted = rows, None

    # ---- What it is

    @property
    def shape(self):
        """Rows and columns."""
        return len(self), self._width

    def __len__(self):
        return self.manifest.n_rows if self._rows is None else len(self._rows)

    def __repr__(self):
        n_blocks = len(self.blocks())
        text = f"{len(self):,} rows x {self.shape[1]:,} columns"
        text += f", {n_blocks} block{'s' if n_blocks != 1 else ''}"
        if self.classes is not None:
            text += f", {len(self.classes)} classes"
        if self.steps:
            text += f", {' and '.join(step['step'] for step in self.steps)} when read"
        return f"Dataset({text})"

    @property
    def skipped_rows(self):
        """Bad rows that were left out."""
        return self.manifest.skipped_rows

    @property
    def n_blocks(self):
        """Blocks that have rows of it."""
        return len(self.blocks())

    @property
    def nbytes(self):
        """Bytes of the blocks that have rows of it."""
        return sum(block["nbytes"] for block, _ in blocks_of(self))

    @property
    def y(self):
        """Labels of all rows, in the order of the rows."""
        return self.classes[self.label_indices()]

    def label_indices(self):
        """Return the class index of each row, read from the store.

        Returns
        -------
        int32 array of shape (n_rows,)

        Raises
        ------
        ValueError
            If there are no labels.
        """
        if self.classes is None:
            raise ValueError("this dataset has no labels: pass y, or name label= when it is loaded")
        return read_label_indices(self)

    # ---- Rows

    def __getitem__(self, key):
        return self._with(rows=select_rows(key, len(self), self._rows))

    def head(self, n=5):
        """Return the first rows.

        Parameters
        ----------
        n : int, default=5

        Returns
        -------
        DataFrame or csr_array
            A dict of arrays without pandas; CSR if the dataset has sparse rows.
        """
        return read_head(self[: max(0, int(n))])

    def to_arrays(self, max_bytes=_LARGEST):
        """Return all rows as arrays of this process.

        Parameters
        ----------
        max_bytes : int, default=2**30
            A larger dataset is refused.

        Returns
        -------
        X : array or csr_array of shape (n_rows, n_columns)
        y : array of shape (n_rows,) or None

        Raises
        ------
        ValueError
            If the dataset is larger, or a column holds text.
        """
        return read_arrays(self, max_bytes)

    def __array__(self, *args, **kwargs):
        raise TypeError(
            "a Dataset is not an array: estimators, scalers and the hasher of "
            "sklearn_cirrus take it; for others take to_arrays()[0], if it fits into memory"
        )

    # ---- For the rest of the package

    def view(self):
        """Return what workers must know to read it: see ``views.py`` of the runtime."""
        return view_of(self)

    @property
    def picks(self):
        """Numbers of the rows in the whole dataset, or None for all of them."""
        return self._rows

    @property
    def sorted_picks(self):
        """The picks in rising order."""
        if self._sorted is None:
            self._sorted = np.sort(self._rows)
        return self._sorted

    def blocks(self):
        """Return the names of the blocks that have rows of it, and how many, in order."""
        return {
            block["name"]: block["n_rows"] if inside is None else len(inside)
            for block, inside in blocks_of(self)
        }

    def with_step(self, step):
        """Return the dataset with one more thing done to its blocks when they are read."""
        data = self._with(steps=(*self.steps, step))
        data._sorted = self._sorted
        return data

    def with_rows(self, rows):
        """Return the dataset of rows by their numbers in the whole dataset, int64."""
        return self._with(rows=rows)

    def _with(self, **changes):
        values = {"steps": self.steps, "rows": self._rows} | changes
        return Dataset(self.url, self.manifest, **values)
