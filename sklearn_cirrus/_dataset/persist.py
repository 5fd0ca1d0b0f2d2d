"""Writes the rows of a dataset, as they are read, as another dataset."""

from dataclasses import replace

from cirrus_runtime.store import open_store

from .._map_run import run_map
from ..config import get_config
from ..exceptions import StoreError
from .makers import new_url
from .manifest import NAME


def persist(data, url, overwrite, verbose):
    """Write a dataset anew; see ``Dataset.persist``. Return its Manifest, url and cost."""
    config = get_config()
    url = new_url(url, config)
    if url == data.url:
        raise ValueError("a dataset cannot be written over itself: give url= another place")
    with open_store(url) as store:
        url, found = store.url, store.list()
        if found and not overwrite:
            raise StoreError(
                f"{url} holds objects already: give url= an empty place, or overwrite=True to "
                "delete them"
            )
        store.delete(found)
        classes = data.manifest.classes
        options = {"view": data.view(), "url": url, "n_classes": len(classes or ())}
        items = dict(enumerate(data.blocks()))
        progress = "persist" if verbose else None
        told, cost = run_map(config, "persist", options, items, progress=progress)
        manifest = replace(
            data.manifest,
            kind="table" if data.is_table else "rows",
            names=data.columns,
            types=data.manifest.types if data.is_table else None,
            n_features=data.shape[1],
            blocks=[told[i] | {"classes": classes} for i in sorted(told)],
            made={"from": data.url, "steps": [step["step"] for step in data.steps]},
        )
        store.put(NAME, manifest.encode())
    return manifest, url, cost
