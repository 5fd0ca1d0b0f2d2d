"""``Dataset``: a lazy handle on blocks in a store."""

import numpy as np

from cirrus_runtime.loading import labels_name
from cirrus_runtime.store import open_store
from cirrus_runtime.tensors import decode_tensors
from cirrus_runtime.views import pack_rows

from .makers import Makers
from .manifest import NAME, Manifest
from .persist import persist
from .reading import read_arrays, read_head
from .selection import select_rows

_LARGEST = 1 << 30


class Dataset(Makers):
    """Rows in a store, that workers read block by block: more than fit into memory.

    Made by :meth:`from_csv`, :meth:`from_criteo`, :meth:`from_libsvm`, :meth:`from_parquet`,
    :meth:`from_arrays`, or :meth:`open`. Estimators of this package take it as X; its labels are
    y unless another one is given. Indexing with an array of row numbers, a mask or a slice gives
    the dataset of these rows, and copies nothing.

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
        self._rows = rows
        counts = [block["n_rows"] for block in manifest.blocks]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    # ---- What it is

    @property
    def shape(self):
        """Rows and columns."""
        return len(self), self._width

    def __len__(self):
        return int(self._starts[-1]) if self._rows is None else len(self._rows)

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
    def _width(self):
        widths = [step["n_features"] for step in self.steps if "n_features" in step]
        return widths[-1] if widths else self.manifest.n_features

    @property
    def is_table(self):
        """Whether it has columns of numbers and text, not sparse rows."""
        return self.manifest.kind == "table" and not any(
            step["step"] in ("hash", "rows") for step in self.steps
        )

    @property
    def columns(self):
        """Names of the columns, or None."""
        hashed = any(step["step"] == "hash" for step in self.steps)
        return None if hashed or self.manifest.names is None else list(self.manifest.names)

    @property
    def dtypes(self):
        """What each column holds."""
        if not self.is_table or self.columns is None:
            return self.manifest.dtype
        words = {"number": self.manifest.dtype, "text": "text"}
        pairs = zip(self.columns, self.manifest.types, strict=True)
        return {name: words[kind] for name, kind in pairs}

    @property
    def classes(self):
        """Distinct labels, sorted, or None."""
        found = self.manifest.classes
        if found is None:
            return None
        classes = np.array(found)
        whole = classes.dtype.kind == "f" and (classes == np.trunc(classes)).all()
        return classes.astype(np.int64) if whole else classes

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
        used = set(self.blocks())
        return sum(block["nbytes"] for block in self.manifest.blocks if block["name"] in used)

    @property
    def y(self):
        """Labels of all rows, in the order of the rows."""
        return self.classes[self.label_indices()]

    def label_indices(self):
        """Return the class index of each row, int64.

        Raises
        ------
        ValueError
            If there are no labels.
        """
        if self.classes is None:
            raise ValueError("this dataset has no labels: pass y, or name label= when it is loaded")
        maps, parts = self.view()["labels"], []
        with open_store(self.url) as store:
            for block in self.manifest.blocks:
                name = labels_name(block["name"])
                _, arrays = decode_tensors(store.get(name), name, lambda key: ("F32",), 4096)
                labels = arrays["labels"].astype(np.int64)
                becomes = maps.get(block["name"])
                parts.append(labels if becomes is None else np.array(becomes)[labels])
        labels = np.concatenate(parts)
        return labels if self._rows is None else labels[self._rows]

    # ---- Rows

    def __getitem__(self, key):
        return self._with(rows=select_rows(key, len(self), self._rows))

    def head(self, n=5):
        """Return the first rows: a DataFrame of a table (a dict without pandas), else a csr_array.

        Parameters
        ----------
        n : int, default=5
        """
        return read_head(self[: int(n)])

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

    def persist(self, url=None, *, overwrite=False, verbose=0):
        """Write the rows as they are read now, by workers, as a dataset of its own.

        Parameters
        ----------
        url : str or None, default=None
            As of :meth:`from_csv`.
        overwrite : bool, default=False
        verbose : int, default=0

        Returns
        -------
        Dataset

        Raises
        ------
        StoreError
            If there is something at the url already, or it cannot be written to.
        """
        manifest, url, cost = persist(self, url, overwrite, verbose)
        return type(self)(url, manifest, cost=cost)

    def __array__(self, *args, **kwargs):
        raise TypeError(
            "a Dataset is not an array: fit an estimator of sklearn_cirrus on it, or take "
            "to_arrays()[0] if it fits into memory"
        )

    # ---- For the rest of the package

    def view(self):
        """Return what workers must know to read it: see ``views.py`` of the runtime."""
        manifest = self.manifest
        labels, rows = {}, {}
        for block in manifest.blocks:
            if block["classes"] is not None and block["classes"] != manifest.classes:
                place = {value: i for i, value in enumerate(manifest.classes)}
                labels[block["name"]] = [place[value] for value in block["classes"]]
        for name, inside, n_rows in self._selected():
            if inside is not None:
                rows[name] = pack_rows(inside, n_rows)
        return {
            "url": self.url,
            "kind": manifest.kind,
            "n_features": manifest.n_features,
            "labels": labels,
            "rows": rows,
            "steps": list(self.steps),
        }

    @property
    def picks(self):
        """Numbers of the rows in the whole dataset, or None for all of them."""
        return self._rows

    def blocks(self):
        """Return the names of the blocks that have rows of it, and how many, in order."""
        return {
            name: n_rows if inside is None else len(inside)
            for name, inside, n_rows in self._selected()
        }

    def _selected(self):
        """Yield each block that is used: its name, its rows that are (None: all), how many it has.

        Rows of a block are in rising order, each as often as it was asked for.
        """
        found = self.manifest.blocks
        if self._rows is None:
            for block in found:
                yield block["name"], None, block["n_rows"]
            return
        rows = np.sort(self._rows)
        bounds = np.searchsorted(rows, self._starts)
        for i, block in enumerate(found):
            inside = rows[bounds[i] : bounds[i + 1]] - self._starts[i]
            if inside.size:
                yield block["name"], inside, block["n_rows"]

    def with_step(self, step):
        """Return the dataset with one more thing done to its blocks when they are read."""
        return self._with(steps=(*self.steps, step))

    def with_rows(self, rows):
        """Return the dataset of rows by their numbers in the whole dataset, int64."""
        return self._with(rows=rows)

    def _with(self, **changes):
        values = {"steps": self.steps, "rows": self._rows} | changes
        return Dataset(self.url, self.manifest, **values)

    @classmethod
    def open(cls, url):
        """Open a dataset that lies in a store.

        Parameters
        ----------
        url : str
            ``file:///folder`` or ``s3://bucket/prefix``.

        Returns
        -------
        Dataset

        Raises
        ------
        StoreError
            If there is none, or it is damaged.
        """
        with open_store(url) as store:
            return cls(store.url, Manifest.decode(store.get(NAME), store.url))
