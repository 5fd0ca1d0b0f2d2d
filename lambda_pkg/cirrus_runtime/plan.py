"""Plans of searches: which fits a pass over the data trains."""

import json
from dataclasses import asdict


class StoredPlan:
    """How a plan, a dataclass, lies in the store."""

    def encode(self):
        """Return the plan as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data):
        """Return the plan that :meth:`encode` made into data."""
        return cls(**json.loads(bytes(data)))
