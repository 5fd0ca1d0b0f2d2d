"""Functions mapped over blocks of a dataset or ranges of files: a worker's side.

Each lease is one application of the job's operation, and its report carries what came out. An
operation depends on nothing but the job and the lease, and what it writes has a name that follows
from them: so a lease may be done twice, by anybody.
"""

import json
import time

from .dataset_ops import Margins, Moments, Persist
from .errors import CirrusError, StoreError
from .loading import Load, Scan
from .pivot import Deal, Extent, Gather
from .rating_ops import FoldIn, Rate, Ratings

_OPERATIONS = {
    "deal": Deal,
    "extent": Extent,
    "fold_in": FoldIn,
    "gather": Gather,
    "load": Load,
    "margins": Margins,
    "moments": Moments,
    "persist": Persist,
    "rate": Rate,
    "ratings": Ratings,
    "scan": Scan,
}


class Map:
    """The kernel of jobs of kind "map".

    Parameters
    ----------
    job : TrainJob
        Its options have ``operation``, and what that operation must know.
    engine : Engine
        Not used: there is no model.
    """

    def __init__(self, job, engine):
        name = job.options.get("operation")
        if name not in _OPERATIONS:
            raise CirrusError(f"a worker of this version has no operation {str(name)[:40]!r}")
        self._operation = _OPERATIONS[name](job)

    def accept(self, block, name):
        """Take whatever was read."""

    def read(self, store, name):
        """Read what a lease names, ahead of time."""
        return self._operation.read(store, name)

    def perform(self, lease, block, renew):
        """Apply the operation; return the fields of the report."""
        begin = time.perf_counter()
        try:
            rows, result = self._operation.apply(lease, block)
        except StoreError as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {
            "rows": rows,
            "compute": time.perf_counter() - begin,
            "body": json.dumps(result).encode(),
        }
