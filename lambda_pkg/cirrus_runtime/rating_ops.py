"""What workers do with the ratings of a dataset besides training on them.

``ratings`` counts them; ``fold_in`` solves the users; ``rate`` predicts pairs of a table.
"""

from types import SimpleNamespace

import numpy as np

from .dataset_ops import OnBlocks
from .fold_in import fold_in
from .pivot import BadRatings, ids_of
from .ratings import checked_ratings, hide, pack_counts
from .store import keep_store
from .tensors import decode_tensors
from .views import pack_numbers, unpack_numbers

_MODEL = {"users": ("F64",), "items": ("F64",), "offsets": ("F64",)}
_LONGEST_HEADER = 4096


class Ratings(OnBlocks):
    """Users with ratings, ratings, how many of them are hidden, sums of them and of their squares.

    Then the number of ratings of each item, and the number of those to train on. Options ``share``
    and ``seed`` say what is hidden.
    """

    def apply(self, lease, block):
        block = checked_ratings(block, lease.name)
        share, seed = self._options["share"], self._options["seed"]
        values = block.data.astype(np.float64)
        counts, hidden = [np.bincount(block.indices, minlength=block.n_features)], 0
        if share and values.size:
            kept = ~hide(values.size, share, seed, lease.block)
            hidden = int(values.size - kept.sum())
            counts.append(np.bincount(block.indices[kept], minlength=block.n_features))
        users = int(np.count_nonzero(np.diff(block.indptr)))
        sums = [float(values.sum()), float(values @ values)]
        counts = [pack_counts(counts[0]), pack_counts(counts[-1])]
        return block.n_rows, [users, values.size, hidden, *sums, *counts]


class FoldIn(OnBlocks):
    """The factors of users, and the sum of the squared errors of their ratings."""

    def __init__(self, job):
        super().__init__(job)
        model = job.options["model"]
        self._bias = unpack_numbers(model["item_bias"])
        self._components = unpack_numbers(model["components"]).reshape(-1, self._bias.size)
        self._rest = model["mean"], model["alpha"], model["biased"]

    def apply(self, lease, block):
        block = checked_ratings(block, lease.name)
        rows = SimpleNamespace(
            indptr=block.indptr.astype(np.int64),
            indices=block.indices.astype(np.int64),
            data=block.data,
        )
        users = fold_in(rows, None, self._components, self._bias, *self._rest)
        of, rank = np.repeat(np.arange(block.n_rows), np.diff(rows.indptr)), len(self._components)
        predicted = np.einsum(
            "ij,ji->i", users[of, :rank], self._components[:, rows.indices]
        ) + users[of, rank:].sum(axis=1)
        errors = predicted + self._bias[rows.indices] + self._rest[0] - block.data
        return block.n_rows, [pack_numbers(users), float(errors @ errors), int(errors.size)]


class Rate(OnBlocks):
    """Predicted ratings of the pairs in a table: users and items in the first two columns.

    The model is an object ``name`` in the store at ``url``: factors of users, bias last; of items,
    with a one for it; and what an item adds. Users and items beyond these are unknown to it.
    """

    def __init__(self, job):
        super().__init__(job)
        name = job.options["name"]
        data = keep_store(job.options["url"]).get(name)
        found = decode_tensors(data, name, _MODEL.get, _LONGEST_HEADER)[1]
        width, self._mean = job.options["width"], job.options["mean"]
        # The last one of each is what there is of an unknown one.
        self._users, self._items = (
            np.vstack([found[key].reshape(-1, width), np.zeros(width)])
            for key in ("users", "items")
        )
        if job.options["biased"]:
            self._items[-1, -1] = 1.0
        self._offsets = np.append(found["offsets"], 0.0)

    def apply(self, lease, block):
        try:
            users, items = ids_of(block, 0), ids_of(block, 1)
        except BadRatings as error:
            return block.n_rows, {"bad": str(error)}
        users = np.minimum(users, len(self._users) - 1)
        items = np.minimum(items, len(self._items) - 1)
        predicted = np.einsum("ij,ij->i", self._users[users], self._items[items])
        return block.n_rows, pack_numbers(predicted + self._offsets[items] + self._mean)
