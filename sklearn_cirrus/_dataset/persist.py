"""Writes the rows of a dataset, as they are read, as another dataset."""

from dataclasses import replace

from cirrus_runtime.dataset_objects import MANIFEST

from .._map_run import run_map
from .._reach import check_reach
from .._stages import stage
from ..config import get_config
from .place import NewPlace


@stage("preprocessing")
def persist(data, url, overwrite, verbose):
    """Write a dataset anew; see ``Dataset.persist``. Return its Manifest, url and cost."""
    config = get_config()
    if not len(data):
        raise ValueError("there is no row to write")
    check_reach(config, data.url, url)
    with NewPlace(url, config, taken=data.url) as place:
        place.clear(overwrite)
        url = place.store.url
        options = {"view": data.view(), "url": url, "classes": data.manifest.classes}
        progress = "persist" if verbose else None
        items = dict(enumerate(data.blocks()))
        told, cost = run_map(config, "persist", options, items, progress=progress)
        manifest = replace(
            data.manifest,
            kind="table" if data.is_table else "rows",
            names=data.columns,
            types=data.types if data.is_table else None,
            n_features=data.shape[1],
            dtype=data.dtype,
            blocks=[told[i] for i in sorted(told)],
            made={"from": data.url, "steps": [step["step"] for step in data.steps]},
        )
        place.store.put(MANIFEST, manifest.encode())
    return manifest, url, cost
