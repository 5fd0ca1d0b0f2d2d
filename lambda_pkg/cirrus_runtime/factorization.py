"""Matrix factorization by minibatches of whole users, through the compiled kernels.

A row of a block is a user, its entries are the user's ratings; the model has one row for each item.
Users are solved for, given the items, and have no state: see factorization.h. Held-out blocks have
two rows for each user: the ratings to solve it from, and those to score.
"""

from ctypes import POINTER, Structure, byref, c_double, c_float, c_size_t, c_uint32, c_void_p

import numpy as np

from .errors import BlockError
from .kernels import declare
from .minibatch import MinibatchKernel, Pass, address

_LANES = 4  # of ridge.h


def padded_width(width):
    """Return the floats that a row takes in scratch: whole lanes."""
    return -(-width // _LANES) * _LANES


class Factors(Structure):
    """``cirrus_factors`` of factorization.h, field by field."""

    _fields_ = [
        ("weights", c_void_p),
        ("table", c_void_p),
        ("slopes", c_void_p),
        ("offsets", c_void_p),
        ("touches", c_void_p),
        ("targets", c_void_p),
        ("normal", c_void_p),
        ("user", c_void_p),
        ("alpha", c_float),
        ("mean", c_float),
        ("rank", c_uint32),
        ("biased", c_uint32),
        ("padded", c_uint32),
        ("stride", c_uint32),
        ("held", c_void_p),
    ]


_SHARED = (POINTER(Pass), POINTER(Factors), c_size_t, c_size_t, c_void_p, c_uint32)
factorize = declare(
    *("cirrus_factorize", c_double, *_SHARED),
    *(c_float, c_void_p, POINTER(c_double)),
)
_score_held_out = declare("cirrus_score_held_out", c_double, *_SHARED)


class FactorizationKernel(MinibatchKernel):
    """Squared error of ratings, and its gradient in the items; see ``MinibatchKernel``.

    Parameters
    ----------
    n_items : int
    width : int
        Values of an item: its factors and, if biased, its bias last.
    biased : bool
    alpha : float
        Of the penalty, more than 0.
    mean : float
        Added to every prediction.
    """

    def __init__(self, n_items, width, biased, alpha, mean):
        super().__init__(n_items, width, False)
        padded = padded_width(width)
        self._normal = np.empty((padded, padded), np.float32)
        self._user = np.empty(padded, np.float32)
        self._factors = Factors(
            normal=address(self._normal),
            user=address(self._user),
            alpha=alpha,
            mean=mean,
            rank=width - biased,
            biased=biased,
            padded=padded,
            stride=width,
        )
        self._scratch = ()

    @classmethod
    def of(cls, job):
        """Return the kernel for a TrainJob."""
        options = {key: value for key, value in job.options.items() if key != "parts"}
        return cls(job.n_features, job.width, **options)

    def accept(self, block, name):
        """Refuse a block that is not for this model."""
        self.check_columns(block, name)
        if block.data is None or block.data.dtype != np.float32:
            raise BlockError(f"{name} has no ratings of dtype float32")

    def count(self, block):
        """Return the number of ratings."""
        return len(block.indices)

    def weight(self, block):
        """Return the sum of the ratings' weights."""
        weights = block.entry_weights
        return float(len(block.indices) if weights is None else weights.sum(dtype=np.float64))

    def held_out(self, block):
        """Return number and weight of the ratings that are scored."""
        begins, ends = block.indptr[1:-1:2].astype(np.intp), block.indptr[2::2].astype(np.intp)
        count = int((ends - begins).sum())
        weights = block.entry_weights
        if weights is None:
            return count, float(count)
        sums = np.append(0.0, np.cumsum(weights, dtype=np.float64))
        return count, float((sums[ends] - sums[begins]).sum())

    def open(self, block, order, batch_rows):
        """Begin a pass over rows of a block."""
        super().open(block, order, batch_rows)
        # A mean over minibatches of equally many users has to weigh a rating the same in each.
        self._row_weight = self.weight(block) / max(1, block.n_rows)
        f = self._factors
        longest = int(np.diff(block.indptr).max(initial=0))
        shapes = (self._room, f.padded), (self._room, f.padded), self._room, self._room, longest
        self._scratch = [np.empty(shape, np.float32) for shape in shapes]
        f.table, f.slopes, f.offsets, f.touches, f.targets = map(address, self._scratch)
        f.weights = address(block.entry_weights)

    def loss(self, model):
        """Return the weighted sum of the squared errors of held-out ratings."""
        return _score_held_out(
            *(self._pointer, byref(self._factors), *self._rows, address(model), self._distinct),
        )

    def gradient(self, model):
        """Return the weighted sum of squared errors, and the gradient of the objective.

        The gradient is that of sum and penalty together, divided by what a minibatch of as many
        users weighs on average in this block.
        """
        first, last = self._rows
        gradient = np.empty((self._distinct, self.width), np.float32)
        weight, penalty = (last - first) * self._row_weight, c_double(0.0)
        loss = factorize(
            *(self._pointer, byref(self._factors), first, last, address(model), self._distinct),
            *(1.0 / weight if weight else 0.0, address(gradient), byref(penalty)),
        )
        self.penalty += penalty.value
        return loss, gradient
