"""Minibatches of a block: what a kernel of stochastic training is to the worker."""

from abc import ABC, abstractmethod
from ctypes import POINTER, Structure, c_size_t, c_uint32, c_void_p, pointer

import numpy as np

from .errors import BlockError
from .kernels import declare


class Pass(Structure):
    """``cirrus_pass`` of logistic.h, field by field."""

    _fields_ = [
        ("indptr", c_void_p),
        ("indices", c_void_p),
        ("data", c_void_p),
        ("labels", c_void_p),
        ("weights", c_void_p),
        ("order", c_void_p),
        ("seen", c_void_p),
        ("local", c_void_p),
        ("scores", c_void_p),
        ("n_features", c_uint32),
        ("width", c_uint32),
        ("intercept", c_uint32),
        ("round", c_uint32),
    ]


_localize = declare("cirrus_localize", c_uint32, POINTER(Pass), c_size_t, c_size_t, c_void_p)


class MinibatchKernel(ABC):
    """Loss and gradient of minibatches, for data of one shape.

    Use: :meth:`open` a pass over the rows of a block, then for each minibatch :meth:`localize`
    it and compute :meth:`gradient` or :meth:`loss`. Keeps 8 bytes for each column of the data, so
    that numbering the columns of a minibatch takes neither a sort nor clearing. Not for use by
    two threads at once.

    Parameters
    ----------
    n_features : int
    width : int
        Weights of a row of the model.
    intercept : bool
        Whether the model has a last row, ``n_features``, that every data row touches.

    Attributes
    ----------
    penalty : float
        Sum of the penalties of the minibatches whose gradient was computed since :meth:`open`, in
        the unit of their losses; 0 where the server adds the penalty.
    """

    def __init__(self, n_features, width, intercept):
        self.n_features = n_features
        self.width = width
        self.penalty = 0.0
        self._seen = np.zeros(n_features, np.uint64)
        self._scores = np.empty(width, np.float32)
        self._gradient = np.empty((0, width), np.float32)
        self._pass = Pass(
            seen=address(self._seen),
            scores=address(self._scores),
            n_features=n_features,
            width=width,
            intercept=bool(intercept),
        )
        self._pointer = pointer(self._pass)
        self._kept = None
        self._rows = 0, 0
        self._distinct = 0

    @abstractmethod
    def accept(self, block, name):
        """Refuse a block that is not for this model: called once, when a block was read.

        Raises
        ------
        BlockError
        """

    @abstractmethod
    def gradient(self, model):
        """Return loss and gradient of the minibatch.

        Parameters
        ----------
        model : float32 array of shape (n_ids, width), C-contiguous
            The rows of the model that :meth:`localize` named.

        Returns
        -------
        loss : float
            Weighted sum of the losses.
        gradient : float32 array of shape (n_ids, width)
            That of their mean.
        """

    @abstractmethod
    def loss(self, model):
        """Return the weighted sum of the losses of a minibatch, when nothing is trained."""

    def count(self, block):
        """Return how many rows a block counts for, in reports."""
        return block.n_rows

    def weight(self, block):
        """Return the sum of the weights that its losses are summed with."""
        weights = block.weights
        return float(block.n_rows if weights is None else weights.sum(dtype=np.float64))

    def held_out(self, block):
        """Return the two for a block of which only the loss is summed."""
        return self.count(block), self.weight(block)

    def number(self, block):
        """Number the columns of a whole block.

        Returns
        -------
        ids : uint32 array of shape (n_ids,)
            As of :meth:`localize`.
        local : uint32 array of shape (n_entries,)
            For each entry the place of its column in ids.
        """
        self.open(block, np.arange(block.n_rows, dtype=np.uint32), block.n_rows)
        ids = self.localize(0, block.n_rows).copy()
        local = self._kept[2]
        self._kept = None
        return ids, local

    def open(self, block, order, batch_rows):
        """Begin a pass over rows of a block.

        Parameters
        ----------
        block : Block
            One that :meth:`accept` has accepted.
        order : uint32 array of shape (n,)
            Rows of the block in the order of the pass.
        batch_rows : int
            Most rows of a minibatch.
        """
        longest = int(np.diff(block.indptr).max(initial=0))
        room = min(longest * batch_rows, len(block.indices))
        local = np.empty(room, np.uint32)
        self._room = min(room, self.n_features) + 1
        self._kept = block, order, local  # the structure holds their addresses
        self.penalty = 0.0
        at = self._pass
        at.indptr, at.indices = address(block.indptr), address(block.indices)
        at.data, at.labels = address(block.data), address(block.labels)
        at.weights = address(block.weights)
        at.order, at.local = address(order), address(local)

    def localize(self, first, last):
        """Take the rows ``order[first:last]`` as the minibatch and number its columns.

        Returns
        -------
        uint32 array of shape (n_ids,)
            Rows of the model that the minibatch needs: the distinct columns, and the
            intercept's row last if there is one.
        """
        ids = np.empty(self._room, np.uint32)
        self._rows = first, last
        self._distinct = _localize(self._pointer, first, last, address(ids))
        return ids[: self._distinct]

    def room_for_gradient(self):
        """Return an array for the gradient of a minibatch: the same for each, while it is enough.

        For rows so wide that new memory, which the system clears page by page, would take long.
        """
        if len(self._gradient) < self._distinct:
            self._gradient = np.empty((self._room, self.width), np.float32)
        return self._gradient[: self._distinct]

    def check_columns(self, block, name):
        """Refuse a block whose data have another number of columns."""
        if block.n_features != self.n_features:
            raise BlockError(f"{name} has {block.n_features} columns, the model {self.n_features}")


def address(array):
    """Return the address of a C-contiguous array's data, None for no array."""
    return None if array is None else array.ctypes.data
