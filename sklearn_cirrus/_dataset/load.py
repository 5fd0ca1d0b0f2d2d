"""Loading: files into the blocks of a dataset, by workers, a range of bytes each.

    scan (quoted text alone) -> load every range -> put the parts together in dataset.json

Every range that is done leaves an object ``part-...json`` beside its blocks. Loading the same
files in the same way into the same place again goes on from these.
"""

import json

from cirrus_runtime.dataset_objects import MANIFEST, PART, PLAN, part_name
from cirrus_runtime.loading import Ranges
from cirrus_runtime.parsing import ROW

from .._map_run import run_map
from ..exceptions import BadRowError, StoreError
from .manifest import Manifest, merge_classes


def load(config, sources, options, place, *, on_bad_rows, overwrite, verbose, describe):
    """Load files into a dataset.

    Parameters
    ----------
    config : Config
    sources : list of dict
        As ``find_files`` gives them.
    options : dict
        ``format``, ``delimiter``, ``quote``, and what the format needs: see ``loading.py`` of the
        runtime.
    place : NewPlace
    on_bad_rows : {"error", "skip"}
    overwrite : bool
        Whether to delete what is there already.
    verbose : int
    describe : callable
        Gives the Manifest's fields that the format decides, of all parts.

    Returns
    -------
    Manifest
    cost : float

    Raises
    ------
    BadRowError, StoreError, CirrusError
    """
    options = options | {
        "sources": sources,
        "range_bytes": config.block_bytes,
        "url": place.store.url,
        "skips": on_bad_rows == "skip",
        "states": "",
    }
    ranges = Ranges(sources, config.block_bytes)
    parts = _begin(place, options, overwrite)
    cost = 0.0
    todo = {i: str(i) for i in range(len(ranges)) if i not in parts}
    bar = (lambda text: text) if verbose else (lambda text: None)
    if todo and options["quote"] is not None:
        options["states"], cost = _scan(config, ranges, options, bar("scan"))
    if todo:
        look = None if options["skips"] else _until_told(ranges, parts)
        found, more = run_map(config, "load", options, todo, look=look, progress=bar("load"))
        parts |= found
        cost += more
    if not options["skips"]:
        _raise_first_bad(ranges, parts)
    ordered = [parts[i] for i in range(len(ranges))]
    blocks = [block for part in ordered for block in part["blocks"]]
    leftovers = [PLAN, *(part_name(i) for i in range(len(ranges)))]
    if not blocks:
        place.store.delete(leftovers)
        names = ", ".join(source["url"] for source in sources)
        raise ValueError(f"there is no row in {names}")
    manifest = Manifest(
        blocks=blocks,
        classes=merge_classes(blocks),
        made=_plan(options),
        skipped_rows=sum(part["n_bad"] for part in ordered),
        **describe(ordered),
    )
    place.store.put(MANIFEST, manifest.encode())
    place.store.delete(leftovers)
    return manifest, cost


def _plan(options):
    """Return what two loadings must agree on for one to go on from the other."""
    free = "states", "url", "skips"
    return {name: value for name, value in options.items() if name not in free}


def _begin(place, options, overwrite):
    """Make the place ready; return the parts that an earlier loading has done, by number."""
    store, names = place.store, place.clear(overwrite, resumable=True)
    plan = json.loads(json.dumps(_plan(options)))
    if not names:
        store.put(PLAN, json.dumps(plan).encode())
    elif _read(store, PLAN) != plan:
        raise StoreError(
            f"in {store.url} lies what was loaded from other files, or in another way, and "
            "broken off: give url= another place, or overwrite=True to start over"
        )
    done = [name for name in names if name.startswith(PART)]
    return {int(name[len(PART) : -len(".json")]): _read(store, name) for name in done}


def _read(store, name):
    """Return what an object of JSON says."""
    try:
        return json.loads(bytes(store.get(name)))
    except ValueError as error:
        raise StoreError(f"{name} in {store.url} is damaged: overwrite=True starts over") from error


def _scan(config, ranges, options, progress):
    """Return the state that each range begins in, a digit each."""
    items = {i: str(i) for i in range(len(ranges)) if not ranges[i][0]["compression"]}
    found, cost = run_map(config, "scan", options, items, progress=progress)
    states = []
    for place in range(len(ranges.sources)):
        state = ROW
        for number in ranges.of(place):
            states.append(state)
            if number in found:
                state = found[number][state]
    return "".join(map(str, states)), cost


def _until_told(ranges, parts):
    """Return a function that says when the first bad row of a file can be told with its line."""

    def look(results):
        done = parts | results
        bad = [number for number, part in results.items() if part["n_bad"]]
        return any(
            all(before in done for before in range(_first(ranges, number), number))
            for number in bad
        )

    return look


def _first(ranges, number):
    """Return the first range of the source that a range is of."""
    place = next(i for i in range(len(ranges.sources)) if number in ranges.of(i))
    return ranges.of(place)[0]


def _raise_first_bad(ranges, parts):
    """Raise BadRowError for the first bad row, if there is one."""
    for number in sorted(parts):
        part = parts[number]
        if not part["n_bad"]:
            continue
        before = range(_first(ranges, number), number)
        if not all(i in parts for i in before):
            continue
        source = ranges[number][0]
        line, reason = part["bad"][0]
        line += sum(parts[i]["n_lines"] for i in before) + source.get("header_lines", 0) + 1
        raise BadRowError(f"{source['url']}, line {line}: {reason}")
