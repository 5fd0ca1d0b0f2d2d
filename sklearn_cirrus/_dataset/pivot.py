"""A table of ratings as rows of users: a shuffle by workers; see ``pivot.py`` of the runtime."""

from contextlib import contextmanager

import numpy as np

from cirrus_runtime.dataset_objects import MANIFEST
from cirrus_runtime.pivot import piece_name
from cirrus_runtime.store import open_store

from .._map_run import run_map
from .._reach import check_reach
from .._stages import stage
from .manifest import Manifest
from .place import NewPlace, own_url

_RATING_BYTES = 8
_SMALL = 1 << 20  # bytes of a block that is not worth dividing
_BLOCKS = 16  # of data that is larger: enough to keep several workers busy to the end
_WIDE, _WIDER = 1 << 20, 16  # rows and columns there may be, or for each rating


def columns_of(data, names=(None, None, None)):
    """Return the places of the columns with users, items and ratings.

    Parameters
    ----------
    data : Dataset
    names : tuple of str or None
        None: the first column, the second, and the third; without a third, the labels, which is
        None among the places.

    Raises
    ------
    ValueError
    """
    if not data.is_table:
        raise ValueError("only a table can be pivoted, and this dataset has sparse rows")
    known = list(data.dtypes)
    for name in names:
        if name is not None and name not in known:
            raise ValueError(f"there is no column {name!r}, but {', '.join(known[:20])}")
    user, item, rating = (None if name is None else known.index(name) for name in names)
    if rating is None and (len(known) not in (2, 3) or (len(known) == 2 and data.classes is None)):
        raise ValueError(
            "a table of ratings has the columns user, item and rating, in this order, or the first "
            f"two and the rating as label; this one has {', '.join(known[:20])}: load it with "
            "types={name: 'skip'} for the others, or say which is which with pivot()"
        )
    user, item = 0 if user is None else user, 1 if item is None else item
    if rating is None and len(known) == 3:
        rating = 2
    if rating is None and data.classes.dtype.kind not in "iuf":
        raise ValueError("the labels are texts, and ratings must be numbers")
    if len({user, item, rating}) < 3:
        raise ValueError("index, columns and values must be three different columns")
    return user, item, rating


@stage("preprocessing")
def pivot(data, config, places, url, *, overwrite=False, verbose=0, n_columns=None):
    """Write a table anew as rows; see ``Dataset.pivot``.

    Parameters
    ----------
    data : Dataset
    config : Config
    places : tuple of int or None
        As of :func:`columns_of`.
    url : str or None
    overwrite : bool
    verbose : int
    n_columns : int, optional
        Items there are; None: as many as the largest asks for.

    Returns
    -------
    manifest : Manifest
    url : str
    cost : float
    """
    if not len(data):
        raise ValueError("there is no row to pivot")
    check_reach(config, data.url, url)
    with NewPlace(url, config, taken=data.url) as place:
        place.clear(overwrite)
        url = place.store.url
        n_rows, width, bounds, cost = _extent(data, config, places, n_columns)
        options = {
            "view": data.view(), "columns": places, "bounds": bounds, "url": url,
            "dtype": data.dtype,
            "values": None if places[2] is not None else data.classes.astype(float).tolist(),
        }  # fmt: skip
        progress = "pivot" if verbose else None
        dealt = _map(config, "deal", options, data, progress)
        cost += dealt[1]
        pieces = [[] for _ in bounds[:-1]]
        for number, parts in sorted(dealt[0].items()):
            for part in parts:
                pieces[part].append(number)
        options = {"pieces": pieces, "bounds": bounds, "url": url, "n_items": width}
        names = {part: str(part) for part in range(len(pieces))}
        told, paid = run_map(config, "gather", options, names, progress=progress)
        for found in told.values():
            if "twice" in found:
                user, item = found["twice"]
                raise ValueError(
                    f"there is more than one rating of item {item} by user {user}: keep one, or "
                    "their mean"
                )
        manifest = Manifest(
            *("rows", None, None, width, data.dtype, None, None),
            [told[part] for part in sorted(told)],
            made={"from": data.url, "steps": [step["step"] for step in data.steps] + ["pivot"]},
        )
        place.store.put(MANIFEST, manifest.encode())
        place.store.delete([
            piece_name(number, part) for part, of in enumerate(pieces) for number in of
        ])  # fmt: skip
    return manifest, url, cost + paid


def _extent(data, config, places, n_columns):
    """Return how many rows and columns there are, where to cut the rows, and what it has cost.

    Rows and columns are those of the whole dataset: parts of it are of one shape.
    """
    whole = data.with_rows(None)
    found, cost = _map(config, "extent", {"view": whole.view(), "columns": places}, whole)
    n, users, items, _ = zip(*found.values(), strict=True)
    n_rows, width = max(users) + 1, max(items) + 1
    most = max(_WIDE, _WIDER * sum(n))
    names = list(data.dtypes)
    for place, count in zip(places, (n_rows, width), strict=False):
        if count > most:
            raise ValueError(
                f"column {names[place]!r} goes up to {count - 1}, in {sum(n)} rows: users and "
                "items are the numbers of rows and columns, so number them from 0"
            )
    if n_columns is not None:
        if width > n_columns:
            raise ValueError(
                f"column {names[places[1]]!r} goes up to {width - 1}, and there are only "
                f"{n_columns} items"
            )
        width = n_columns
    nbytes = _RATING_BYTES * len(data)
    size = min(config.block_bytes, max(_SMALL, nbytes / _BLOCKS))
    return n_rows, width, _bounds(found.values(), n_rows, -(-nbytes // size)), cost


def _bounds(extents, n_rows, n_parts):
    """Return where to cut the rows, so that parts have about equally many ratings."""
    marks, weights = [], []
    for n, _, _, users in extents:
        marks.extend(users)
        weights.extend([n / len(users)] * len(users) if users else [])
    order = np.argsort(marks, kind="stable")
    shares = np.cumsum(np.array(weights)[order])
    wanted = shares[-1] * np.arange(1, int(n_parts)) / n_parts
    cuts = np.array(marks)[order][np.searchsorted(shares, wanted)] if len(wanted) else []
    return np.unique([0, *cuts, n_rows]).astype(int).tolist()


def _map(config, operation, options, data, progress=None):
    """Return what a map over the blocks of a dataset found and cost; refuse what was bad."""
    items = dict(enumerate(data.blocks()))
    results, cost = run_map(config, operation, options, items, progress=progress)
    refuse_bad(results)
    return results, cost


def refuse_bad(results):
    """Raise ValueError if a result says that the user's data are no ratings."""
    for number in sorted(results):
        if isinstance(results[number], dict) and "bad" in results[number]:
            raise ValueError(results[number]["bad"])


@contextmanager
def rows_of_ratings(data, config, n_columns=None):
    """Give ratings as a dataset of rows of users, and what making it has cost.

    A table is pivoted for it, to a place that goes with the block.

    Parameters
    ----------
    data : Dataset
    config : Config
    n_columns : int, optional
        As of :func:`pivot`.
    """
    if not data.is_table:
        yield data, 0.0
        return
    places, url = columns_of(data), own_url(config)
    try:
        manifest, url, cost = pivot(data, config, places, url, n_columns=n_columns)
        yield type(data)(url, manifest), cost
    finally:
        with open_store(url) as store:
            store.delete(store.list())
