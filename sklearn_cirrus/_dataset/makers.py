"""The ways of making a dataset: from files, by workers, and from arrays."""

import os
from urllib.parse import unquote, urlsplit

from cirrus_runtime.dataset_objects import MANIFEST
from cirrus_runtime.store import open_store

from .._reach import check_reach
from .._stages import stage
from ..config import get_config
from ..exceptions import StoreError
from .arrays import put_arrays
from .delimited import criteo_options, csv_options, describe_rows, describe_table
from .files import find_files
from .manifest import Manifest
from .place import NewPlace


class Makers:
    """Class methods of ``Dataset``."""

    @classmethod
    def from_csv(
        cls,
        paths,
        *,
        label=None,
        header=True,
        names=None,
        types=None,
        delimiter=",",
        quote='"',
        dtype="float32",
        url=None,
        on_bad_rows="error",
        overwrite=False,
        verbose=0,
    ):
        r"""Load CSV or TSV files.

        Workers read them, as the settings say (:func:`~sklearn_cirrus.config_context`), by ranges
        of ``block_bytes``; files ending in .gz or .zst as a whole. Should it be broken off, the
        same call with the same ``url`` goes on.

        Parameters
        ----------
        paths : str, path or list of them
            Files of this machine, with ``*`` and ``?`` for any characters, or ``s3://bucket/key``.
        label : str or None, default=None
            Name of the column of labels: numbers or texts, of at most 1000 distinct values. A row
            without one is a bad row.
        header : bool, default=True
            Whether each file's first row has the names of the columns.
        names : list of str or None, default=None
            Names of the columns, needed without a header.
        types : dict or None, default=None
            ``"number"``, ``"text"`` or ``"skip"`` by name. What is not named is found out from
            the first MiB. Numbers that are missing (empty, NA, nan, null, ...) become NaN.
        delimiter : str, default=","
        quote : str or None, default='"'
            Cells that begin with it may hold anything, itself doubled; None: nothing is quoted.
        dtype : {"float32", "float64"}, default="float32"
            Of numbers.
        url : str or None, default=None
            ``file:///folder`` or ``s3://bucket/prefix`` for the blocks. None: a folder that goes
            with the process.
        on_bad_rows : {"error", "skip"}, default="error"
            What happens to a row that cannot be read; ``skipped_rows`` counts those skipped.
        overwrite : bool, default=False
            Whether to delete first what is at the url.
        verbose : int, default=0
            Whether to show a progress bar.

        Returns
        -------
        Dataset

        Raises
        ------
        BadRowError
            A row cannot be read; says file, line and reason.
        ValueError
            Bad parameters, or no rows.
        StoreError
            A file or the store cannot be used.
        """
        sources = find_files(paths)
        options = csv_options(sources, label, header, names, types, delimiter, quote, dtype)
        return cls._load(sources, options, describe_table, url, on_bad_rows, overwrite, verbose)

    @classmethod
    def from_criteo(
        cls, paths, *, has_label=True, url=None, on_bad_rows="error", overwrite=False, verbose=0
    ):
        """Load files of the Criteo display advertising challenge.

        Tab-separated, without a header: a label (0 or 1), 13 numbers I1 to I13 and 26 texts C1 to
        C26, any of which may be missing.

        Parameters
        ----------
        paths : str, path or list of them
        has_label : bool, default=True
            False for files of unlabelled rows (39 cells).
        url : str or None, default=None
        on_bad_rows : {"error", "skip"}, default="error"
        overwrite : bool, default=False
        verbose : int, default=0
            These as of :meth:`from_csv`.

        Returns
        -------
        Dataset

        Raises
        ------
        BadRowError, ValueError, StoreError
            As of :meth:`from_csv`.
        """
        sources = find_files(paths)
        options = criteo_options(has_label)
        return cls._load(sources, options, describe_table, url, on_bad_rows, overwrite, verbose)

    @classmethod
    def from_libsvm(
        cls,
        paths,
        *,
        n_features=None,
        zero_based=False,
        dtype="float32",
        url=None,
        on_bad_rows="error",
        overwrite=False,
        verbose=0,
    ):
        """Load files in the format of LIBSVM and SVMlight.

        Parameters
        ----------
        paths : str, path or list of them
        n_features : int or None, default=None
            Columns; None: as many as occur.
        zero_based : bool, default=False
            Whether the first column is number 0.
        dtype : {"float32", "float64"}, default="float32"
        url : str or None, default=None
        on_bad_rows : {"error", "skip"}, default="error"
        overwrite : bool, default=False
        verbose : int, default=0
            These as of :meth:`from_csv`.

        Returns
        -------
        Dataset

        Raises
        ------
        BadRowError, ValueError, StoreError
            As of :meth:`from_csv`.
        """
        _check_choice("dtype", dtype, ("float32", "float64"))
        if n_features is not None and n_features < 1:
            raise ValueError(f"n_features must be 1 or more, got {n_features!r}")
        sources = find_files(paths)
        options = {
            "format": "libsvm",
            "delimiter": " ",
            "quote": None,
            "zero_based": bool(zero_based),
            "n_features": None if n_features is None else int(n_features),
            "dtype": dtype,
        }
        return cls._load(sources, options, describe_rows, url, on_bad_rows, overwrite, verbose)

    @classmethod
    @stage("preprocessing")
    def from_arrays(cls, X, y=None, *, dtype="float32", url=None, overwrite=False):
        """Put arrays of this process into a store.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_rows, n_columns)
            Columns of a DataFrame may hold text; missing numbers are NaN, missing texts None.
        y : array of shape (n_rows,), optional
            Labels.
        dtype : {"float32", "float64"}, default="float32"
        url : str or None, default=None
        overwrite : bool, default=False
            These as of :meth:`from_csv`.

        Returns
        -------
        Dataset

        Raises
        ------
        ValueError, StoreError
        """
        _check_choice("dtype", dtype, ("float32", "float64"))
        config = get_config()
        with NewPlace(url, config) as place:
            made = put_arrays(place, X, y, dtype, config.block_bytes, overwrite)
            return cls(place.store.url, made)

    @classmethod
    @stage("preprocessing")
    def from_parquet(cls, paths, *, label=None, dtype="float32", url=None, overwrite=False):
        """Load Parquet files, row group by row group, in this process.

        Needs the package pyarrow, which no worker on AWS Lambda has.

        Parameters
        ----------
        paths : str, path or list of them
            Files of this machine.
        label : str or None, default=None
            Name of the column of labels.
        dtype : {"float32", "float64"}, default="float32"
        url : str or None, default=None
        overwrite : bool, default=False
            These as of :meth:`from_csv`.

        Returns
        -------
        Dataset

        Raises
        ------
        ImportError
            Without pyarrow.
        ValueError, StoreError
        """
        _check_choice("dtype", dtype, ("float32", "float64"))
        config = get_config()
        from .parquet import put_parquet  # late: few need it

        sources = find_files(paths)
        with NewPlace(url, config) as place:
            made = put_parquet(place, sources, label, dtype, config.block_bytes, overwrite)
            return cls(place.store.url, made)

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
        parts = urlsplit(url)
        if parts.scheme == "file" and not os.path.isdir(unquote(parts.path)):
            raise StoreError(f"there is no dataset at {url}: there is no such folder")
        with open_store(url) as store:
            if not store.exists(MANIFEST):
                raise StoreError(
                    f"there is no dataset at {store.url}: it has no {MANIFEST}; a loading that "
                    "was broken off goes on when it is called again"
                )
            return cls(store.url, Manifest.decode(store.get(MANIFEST), store.url))

    @classmethod
    @stage("preprocessing")
    def _load(cls, sources, options, describe, url, on_bad_rows, overwrite, verbose):
        """Load files by workers."""
        _check_choice("on_bad_rows", on_bad_rows, ("error", "skip"))
        from .load import load  # late: reading needs no Redis client

        config = get_config()
        check_reach(config, url, *(source["url"] for source in sources))
        with NewPlace(url, config) as place:
            manifest, cost = load(
                *(config, sources, options, place),
                on_bad_rows=on_bad_rows,
                overwrite=overwrite,
                verbose=verbose,
                describe=lambda parts: describe(options, parts),
            )
            return cls(place.store.url, manifest, cost=cost)


def _check_choice(name, value, choices):
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
