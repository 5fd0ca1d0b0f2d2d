"""A small run as a worker on Lambda would do it: test_build.py gives it to a bare Python.

argv: the folder of the unpacked bundle; standard input: the data as JSON. Nothing can be imported
but the standard library and that folder. Prints as JSON the model's weights, and the files of all
modules that were loaded.
"""

import json
import os
import sys
import threading

EPOCHS = 5


class OnlyTheBundle:
    """Refuse what neither Python itself nor the bundle has."""

    def __init__(self, folder):
        self._names = set(sys.stdlib_module_names)
        self._names |= {name.partition(".")[0] for name in os.listdir(folder)}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self._names:
            raise ModuleNotFoundError(f"{name} is not there on a worker", name=name)


def train(X, y):
    """Train on dense rows of two classes; return the weights."""
    import numpy as np

    from cirrus_runtime.blocks import Block, encode_block
    from cirrus_runtime.board import InlineBoard
    from cirrus_runtime.keys import RunKeys
    from cirrus_runtime.protocol import Lease, TrainJob
    from cirrus_runtime.resources import Resources
    from cirrus_runtime.server import InlineEngine, ModelSpec, ParameterServer
    from cirrus_runtime.store_memory import MemoryStore
    from cirrus_runtime.worker import run_worker

    X = np.asarray(X, np.float32)
    n_rows, n_columns = X.shape
    block = Block(
        indptr=np.arange(0, X.size + 1, n_columns, dtype=np.uint32),
        indices=np.tile(np.arange(n_columns, dtype=np.uint32), n_rows),
        data=X.ravel(),
        labels=np.asarray(y, np.float32),
        weights=None,
        n_features=n_columns,
    )
    keys = RunKeys("bare")
    board, engine, store = InlineBoard(), InlineEngine(), MemoryStore()
    model = ParameterServer(engine, keys.model)
    model.create(ModelSpec(n_columns + 1, 1, "adagrad"))
    name = keys.block("train", 0)
    store.put(name, encode_block(block))
    board.offer([Lease(epoch, "train", epoch, 0, name, 0.5, 0.5) for epoch in range(EPOCHS)])
    job = TrainJob(
        run_id="bare",
        n_features=n_columns,
        width=1,
        intercept=True,
        batch_size=16,
        seed=1,
        store_url="memory://",
        engine="inline",
    )
    worker = threading.Thread(
        target=run_worker, args=(job.to_json(), Resources(board, engine, store)), daemon=True
    )
    worker.start()
    reports = []
    while len(reports) < EPOCHS and worker.is_alive():
        reports.extend(board.collect(0.1))
    weights = model.dump().ravel().tolist()
    board.take_down()
    worker.join(timeout=30.0)
    assert len(reports) == EPOCHS and not worker.is_alive()
    return weights


if __name__ == "__main__":
    bundle = sys.argv[1]
    sys.meta_path.insert(0, OnlyTheBundle(bundle))
    sys.path.insert(0, bundle)
    import hiredis  # noqa: F401  (redis does without where it is missing)
    import safetensors.numpy  # noqa: F401

    import cirrus_runtime.kernels

    trained = train(*json.load(sys.stdin))
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    kernels = cirrus_runtime.kernels.library._name
    print(json.dumps({"weights": trained, "kernels": kernels, "files": files}))
