"""A fit in a process of its own that is killed in the middle of it."""

import json
import subprocess
import sys

import numpy as np

from .conftest import labelled

# Fits, and says its run once it has two checkpoints and is at epoch 8.
SCRIPT = """
import json, sys
import numpy as np
from sklearn_cirrus import CirrusLogisticRegression, _trainer, config_context
entry = _trainer.Run._entry
told = []

def tell(run, epoch, *args):
    if epoch >= 8 and not told and len(run.place.store.list(run.checkpoints.prefix)) == 2:
        told.append(print(run.keys.run_id, flush=True))
    return entry(run, epoch, *args)

_trainer.Run._entry = tell
data, settings, parameters = json.loads(sys.argv[1])
with np.load(data) as arrays:
    X, y = arrays["X"], arrays["y"]
with config_context(**settings):
    CirrusLogisticRegression(**parameters).fit(X, y)
"""


def fit_and_kill(folder, settings, parameters):
    """Kill a fit on the labelled data; return its run and what it wrote to standard error."""
    X, y = labelled()
    np.savez(folder / "data.npz", X=X, y=y)
    settings = settings | {"checkpoint_seconds": 0.05}
    arguments = json.dumps([str(folder / "data.npz"), settings, parameters])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run_id = process.stdout.readline().strip()
    process.kill()
    errors = process.communicate(timeout=30)[1]
    assert run_id, errors
    return run_id, errors
