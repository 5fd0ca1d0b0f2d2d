"""The model behind ``scaling_model.py``: from service times to updates and rows a second."""

import math

from queueing import DELAY, Station, knee, solve

_IN, _OUT = 12, 4  # bytes of an id in a STEP: id and gradient, the next id; the weight that returns
_OVERHEAD = 250  # bytes of a STEP besides: command, headers of TCP and IP
SERVERS = (1, 2, 4, 8)


def here(times):
    """Return the stations of a fit on this machine, from what ``worker_times`` returns.

    With no more workers than cores there is a core for whoever runs: a worker that waits for the
    server does not run.
    """
    return [
        Station("worker", times["worker"], DELAY),
        Station("wakeups", times["wakeups"], DELAY),
        Station("server", times["server"]),
    ]


def cloud(times, worker, options, n_servers=1):
    """Return the stations of a fit in the cloud.

    A model that is split over servers has its STEP split: each of them takes its share of the ids,
    all at the same time, so that they are one station of less demand. That they do not end at
    exactly the same moment is left out. A worker sleeps while it waits; a server that is what
    bounds the rate does not.
    """
    line, ids = times["server"], worker["ids"]
    whole, part = (line["base"] + line["per_id"] * n for n in (ids, ids / n_servers))
    per_second = options.server_gbits * 1e9 / 8
    return [
        Station("worker", worker["apart"]["worker"] * options.worker_slowdown, DELAY),
        Station("round trip", options.round_trip_ms / 1000, DELAY),
        Station("the server's thread", worker["together"]["server"] * part / whole),
        Station(
            "the server's network", (_OVERHEAD + max(_IN, _OUT) * ids / n_servers) / per_second
        ),
    ]


def reading_limits(times, worker, options):
    """Return what bounds updates a second while blocks are read from the store.

    Returns
    -------
    dict of str to (float, float)
        Updates a second: of each worker, and of all together. Either may be infinite.
    """
    row, batch = times["client"], worker["batch_size"]
    block = options.block_mib * 2**20
    seconds = options.store_ms / 1000 + block / (options.worker_mbytes * 1e6)
    batches = block / row["bytes_per_row"] / batch
    return {
        "the worker's network": (batches / seconds, math.inf),
        "the store's requests": (math.inf, options.store_gets * batches),
    }


def predict(times, worker, options, n_servers=1):
    """Return the prediction for one size of minibatch.

    Returns
    -------
    dict
        ``saturates``: the station that saturates first, and at how many workers. ``table``: for
        each number of workers, updates and rows a second when the workers keep the blocks in
        memory, and when they read them ahead, with what bounds them then.
    """
    stations = cloud(times, worker, options, n_servers)
    solutions = solve(stations, max(options.predict))
    outside = reading_limits(times, worker, options)
    at, first = knee(stations)
    batch = worker["batch_size"]
    table = []
    for workers in sorted(options.predict):
        kept = solutions[workers - 1].throughput
        limits = {"worker and server": kept}
        limits |= {name: min(workers * each, all_) for name, (each, all_) in outside.items()}
        bound = min(limits, key=limits.get)
        table.append(
            {
                "workers": workers,
                "updates_per_second": kept,
                "rows_per_second": kept * batch,
                "efficiency": kept / (workers * solutions[0].throughput),
                "busy": {s.name: kept * s.demand for s in stations if s.kind != DELAY},
                "reading_rows_per_second": limits[bound] * batch,
                "reading_bound_by": bound,
            }
        )
    return {
        "batch_size": batch,
        "servers": n_servers,
        "ids": worker["ids"],
        "seconds": {station.name: station.demand for station in stations},
        "saturates": {
            "first": first.name,
            "at_workers": at,
            "updates_per_second": 1 / first.demand,
            "rows_per_second": batch / first.demand,
        },
        "table": table,
    }


def ingest_rows(times, options):
    """Return rows a second that the client can cut and write, and which of the two is slower."""
    row = times["client"]
    rates = {
        "the client's core": 1 / row["seconds_per_row"],
        "the client's network": options.client_mbytes * 1e6 / row["bytes_per_row"],
    }
    slower = min(rates, key=rates.get)
    return {"rows_per_second": rates[slower], "bound_by": slower, "rates": rates}


def advise(predictions, ingest):
    """Return sentences: what saturates first, and what to do then."""
    sentences = []
    ends = {(entry["batch_size"], entry["servers"]): entry["saturates"] for entry in predictions}
    batches = sorted({batch for batch, _ in ends})
    for batch in batches:
        one = ends[batch, 1]
        sentences.append(
            f"Minibatches of {batch}: {one['first']} saturates first, at "
            f"{one['at_workers']:.0f} workers, {one['updates_per_second']:,.0f} updates/s, "
            f"{one['rows_per_second']:,.0f} rows/s. More servers (n_servers): "
            + ", ".join(
                f"{n} reach {ends[batch, n]['rows_per_second']:,.0f} rows/s at "
                f"{ends[batch, n]['at_workers']:.0f} workers"
                for n in SERVERS[1:]
            )
            + "."
        )
    if len(batches) > 1:
        small, large = ends[batches[0], 1], ends[batches[-1], 1]
        sentences.append(
            f"Larger minibatches: {batches[-1]} rows instead of {batches[0]} raise what one server "
            f"bears from {small['rows_per_second']:,.0f} to {large['rows_per_second']:,.0f} rows/s."
        )
    for entry in predictions:
        if entry["servers"] > 1:
            continue
        alone = entry["table"][0]
        enough = ingest["rows_per_second"] * alone["workers"] / alone["rows_per_second"]
        sentences.append(
            f"The first epoch, minibatches of {entry['batch_size']}: {ingest['bound_by']} bounds "
            f"it to {ingest['rows_per_second']:,.0f} rows/s, enough for {enough:.1f} workers. "
            "More epochs make it matter less; a client in the cloud writes faster."
        )
    return sentences
