"""A folder with our own packages as the bundle of tasks has them, and no library.

Where the real bundle is too large for a test, the libraries are those that are installed here, and
:data:`ONLY` refuses all others that happen to be.
"""

from pathlib import Path

import numpy

from sklearn_cirrus.bundle import Target, compiled
from sklearn_cirrus.bundle.packages import add_client, add_runtime
from sklearn_cirrus.bundle.pruning import prune
from sklearn_cirrus.bundle.wheels import read_requirements

LIBRARIES = str(Path(numpy.__file__).parents[1])
NAMES = {
    line.partition(">=")[0].replace("scikit-learn", "sklearn") for line in read_requirements(True)
}
# What Lambda's Python brings along.
LAMBDA = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}

ONLY = f"""
import sys

class Only:
    allowed = {sorted(NAMES | LAMBDA | {"cirrus_runtime", "sklearn_cirrus"})!r}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        # Some of Python's own are not in the list of its modules: _sysconfigdata...
        known = top in self.allowed or top in sys.stdlib_module_names or top.startswith("_")
        if path is None and not known:
            raise ModuleNotFoundError(f"{{name}} is not there on Lambda", name=name)

sys.meta_path.insert(0, Only())
sys.path.append({LIBRARIES!r})
"""


def make_client_folder(folder, monkeypatch):
    """Fill a folder, with the kernels that are installed here."""
    monkeypatch.setattr(compiled, "_fits", lambda *_: True)  # to compile takes longer than all else
    add_runtime(folder, Target.here())
    add_client(folder)
    prune(folder)
    return folder
