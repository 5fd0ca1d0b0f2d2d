"""Service times of the parts of a fit, each measured alone: the input of ``scaling_model.py``.

CPU seconds, not seconds by the clock, wherever a part has a core: what waits, or what another
process took, is not service. The server's are Redis's own account of its main thread.

A process that sleeps on a core of its own until another core wakes it pays for that, the more on a
virtual machine. So a worker and the server are measured twice: together on one core, where the one
runs when the other waits and the core never sleeps, and apart, where both sleep in turns.
"""

import contextlib
import os
import statistics
import time

import numpy as np

from cirrus_runtime.blocks import encode_block
from cirrus_runtime.logistic import LogisticKernel
from cirrus_runtime.server import ModelSpec, ParameterServer, PushTag, open_shards
from sklearn_cirrus._ingest import make_blocks

_MODEL = "cirrus:{service-times}:model"
_IDS = (32, 320, 3200, 12800)
_BLOCK_ROWS = 50_000


def open_model(client, n_features):
    """Create a model to measure with, in place of one that is there."""
    client.delete(_MODEL)
    server = ParameterServer(open_shards([client]), _MODEL)
    server.create(ModelSpec(n_features + 1, 1, "adagrad", penalized=n_features, eps=1e-8))
    return server


def server_seconds(client):
    """Return the CPU seconds that the server's main thread has used."""
    info = client.info("cpu")
    return info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]


@contextlib.contextmanager
def placed(client, apart):
    """Keep this thread and the server's on two cores, or on one; where that cannot be, let be."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield
        return
    server = client.info("server")["process_id"]
    try:
        os.sched_setaffinity(0, {cores[0]})
        os.sched_setaffinity(server, {cores[1 if apart else 0]})
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.sched_setaffinity(server, cores)


def measure_server(client, n_features, steps, seed):
    """Measure a STEP at a server that does not sleep, by the number of its ids.

    Returns
    -------
    dict
        ``base`` and ``per_id``: seconds of CPU, a line through ``points``.
    """
    random = np.random.default_rng(seed)
    server = open_model(client, n_features)
    points = []
    try:
        for n_ids in _IDS:
            batches = [random.choice(n_features, n_ids, replace=False) for _ in range(8)]
            batches = [batch.astype(np.uint32) for batch in batches]
            gradient = random.normal(size=(n_ids, 1)).astype(np.float32)
            count = max(50, min(steps, 2_000_000 // n_ids))
            with placed(client, apart=False):
                for i in range(count + 16):
                    if i == 16:  # the rows have been touched
                        begin = server_seconds(client)
                    server.step(batches[i % 8], gradient, 0.01, batches[(i + 1) % 8])
            points.append({"ids": n_ids, "seconds": (server_seconds(client) - begin) / count})
    finally:
        server.drop()
        server.engine.close()
    # Each size counts alike: a line by least relative squares.
    ids = np.array([point["ids"] for point in points], float)
    seconds = np.array([point["seconds"] for point in points])
    columns = np.column_stack([np.ones_like(ids), ids]) / seconds[:, None]
    (base, per_id), *_ = np.linalg.lstsq(columns, np.ones_like(ids), rcond=None)
    return {"base": float(max(base, 0.0)), "per_id": float(max(per_id, 0.0)), "points": points}


def measure_passes(client, block, n_features, batch_size, count, seed, apart):
    """Go over a block as a worker does, some times, together with the server or apart from it.

    Returns
    -------
    list of dict
        For :func:`worker_times`.
    """
    kernel = LogisticKernel(n_features, 1, True)
    server = open_model(client, n_features)
    try:
        with placed(client, apart):
            return [
                _pass(client, server, kernel, block, batch_size, seed + number)
                for number in range(count)
            ]
    finally:
        server.drop()
        server.engine.close()


def worker_times(passes):
    """Return the medians of passes.

    Returns
    -------
    dict
        Of a minibatch: ``ids``, how many columns it names; ``worker``, seconds of the worker's
        CPU, its side of the round trips included; ``server``, seconds of the server's; ``clock``,
        seconds from its begin to the next one's; ``wakeups``, those of them in which neither ran.
    """
    times = {name: statistics.median(entry[name] for entry in passes) for name in passes[0]}
    wakeups = max(0.0, times["clock"] - times["worker"] - times["server"])
    return times | {"wakeups": wakeups}


def _pass(client, server, kernel, block, batch_size, seed):
    """Go over a block once."""
    order = np.random.default_rng(seed).permutation(block.n_rows).astype(np.uint32)
    kernel.open(block, order, batch_size)
    firsts = range(0, block.n_rows - batch_size + 1, batch_size)
    named, last = 0, None
    busy, cpu, begin = server_seconds(client), time.thread_time(), time.perf_counter()
    for number, first in enumerate(firsts):
        ids = kernel.localize(first, first + batch_size)
        if last is None:
            weights = server.pull(ids)
        else:
            weights = server.step(*last, ids, PushTag(0, seed, number))
        _, gradient = kernel.gradient(weights)
        last = ids, gradient, 0.01
        named += ids.size
    clock, cpu = time.perf_counter() - begin, time.thread_time() - cpu
    seconds = {"clock": clock, "worker": cpu, "server": server_seconds(client) - busy}
    return {"ids": named / len(firsts)} | {k: v / len(firsts) for k, v in seconds.items()}


def measure_client(X, y, seed):
    """Cut and encode blocks; return the CPU seconds and the bytes of a row, and a block."""
    rows = np.random.default_rng(seed).permutation(len(y)).astype(np.int64)
    n_blocks = max(1, len(y) // _BLOCK_ROWS)
    first, nbytes = None, 0
    cpu = time.process_time()
    for block in make_blocks(X, y.astype(np.float32), None, rows, n_blocks):
        nbytes += sum(len(memoryview(piece).cast("B")) for piece in encode_block(block))
        first = first or block
    return {
        "seconds_per_row": (time.process_time() - cpu) / len(y),
        "bytes_per_row": nbytes / len(y),
    }, first
