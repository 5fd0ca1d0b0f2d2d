"""Where the blocks of a new dataset go, and what may lie there already."""

import uuid

from cirrus_runtime.dataset_objects import KINDS, MANIFEST, PLAN
from cirrus_runtime.store import open_store

from .._lambda_settings import complete_config
from .._scratch import scratch_folder
from ..exceptions import ConfigurationError, StoreError


class NewPlace:
    """The store of a new dataset. A context manager.

    A place of its own, if no url is given, is emptied when an exception leaves the block: nobody
    else could use what is there.

    Parameters
    ----------
    url : str or None
        None: a folder that goes with the process.
    config : Config
    taken : str, optional
        Url of a dataset that is read meanwhile and must not be written over.

    Attributes
    ----------
    store : Store

    Raises
    ------
    ConfigurationError
        If there is no url, and workers elsewhere could not read a folder of this machine.
    StoreError
        If the place cannot be opened.
    ValueError
        If the url is that of the dataset that is read, or within it, or around it.
    """

    def __init__(self, url, config, taken=None):
        self._is_own = url is None
        if url is None:
            if config.backend == "lambda":
                raise ConfigurationError(
                    "with backend 'lambda' say where the blocks go: url='s3://bucket/prefix', in "
                    "a bucket that the functions may use"
                )
            url = own_url(config)
        self.store = open_store(url)
        if taken is not None and _are_nested(self.store.url, taken):
            self.store.close()
            raise ValueError(
                f"{url} is where the rows are read from, or shares a folder with it: give url= "
                "another place"
            )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is not None and self._is_own:
                self.store.delete(self.store.list())
        finally:
            self.store.close()

    def clear(self, overwrite, resumable=False):
        """Make the place ready; return the names of the objects of a loading to go on from.

        Parameters
        ----------
        overwrite : bool
            Whether to delete a dataset, or what was left of one.
        resumable : bool
            Whether what an earlier loading has left may stay.

        Raises
        ------
        StoreError
            If something is there that must not be deleted.
        """
        store, names = self.store, self.store.list()
        foreign = [name for name in names if not name.startswith(KINDS)]
        if foreign:
            raise StoreError(
                f"{store.url} holds other objects, such as {foreign[0]!r}: give url= an empty place"
            )
        if overwrite:
            store.delete(names)
            return []
        if MANIFEST in names:
            raise StoreError(
                f"there is a dataset in {store.url} already: Dataset.open reads it, overwrite=True "
                "deletes it first"
            )
        if names and not (resumable and PLAN in names):
            raise StoreError(
                f"in {store.url} lies what was left of a dataset when its making was broken off: "
                "overwrite=True deletes it first"
            )
        return names


def own_url(config):
    """Return the url of a new place that workers reach and nobody else uses.

    Whoever takes it deletes what is put there; on this machine it goes with the process besides.
    """
    name = uuid.uuid4().hex[:16]
    if config.backend != "lambda":
        return f"file://{scratch_folder()}/datasets/{name}"
    return f"{complete_config(config)[0].store_url.rstrip('/')}/runs/{name}"


def _are_nested(a, b):
    """Return whether one of two places is, or lies in, the other."""
    a, b = a.rstrip("/") + "/", b.rstrip("/") + "/"
    return a.startswith(b) or b.startswith(a)
