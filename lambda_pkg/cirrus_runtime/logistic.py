"""Minibatches of a block, and their logistic loss and gradient, through the compiled kernels."""

from ctypes import c_double, c_float, c_int, c_size_t, c_uint32, c_void_p

import numpy as np

from .errors import BlockError
from .kernels import declare

_localize = declare(
    "cirrus_localize",
    *(c_uint32, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_uint32, c_void_p, c_void_p),
)
_logistic = declare(
    "cirrus_logistic",
    *(c_double, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p),
    *(c_uint32, c_uint32, c_int, c_float, c_void_p, c_void_p),
)
_LAST_ROUND = 2**32 - 1


class LogisticKernel:
    """Loss and gradient of minibatches, for data of one shape.

    Keeps 8 bytes for each column of the data, so that numbering the columns of a minibatch takes
    neither a sort nor clearing. Not for use by two threads at once.

    Parameters
    ----------
    n_features : int
    width : int
        1 for binary (labels 0 and 1), else the number of classes.
    intercept : bool
        Whether the model has a last row, ``n_features``, that every data row touches.
    """

    def __init__(self, n_features, width, intercept):
        self.n_features = n_features
        self.width = width
        self.intercept = bool(intercept)
        self._seen = np.zeros(n_features, np.uint64)
        self._round = 0
        self._scores = np.empty(width, np.float32)

    def localize(self, block, rows):
        """Number the distinct columns of some rows.

        Parameters
        ----------
        block : Block
        rows : uint32 array of shape (n,)
            Rows of the block, in the order in which they will be computed.

        Returns
        -------
        Minibatch
        """
        if self._round == _LAST_ROUND:
            self._seen[:] = 0
            self._round = 0
        self._round += 1
        starts = block.indptr[rows]
        entries = int((block.indptr[1:][rows] - starts).sum())
        local = np.empty(entries, np.uint32)
        ids = np.empty(min(entries, self.n_features) + 1, np.uint32)
        distinct = _localize(
            *(_at(block.indptr), _at(block.indices), _at(rows), rows.size),
            *(_at(self._seen), self._round, _at(local), _at(ids)),
        )
        if self.intercept:
            ids[distinct] = self.n_features
            distinct += 1
        return Minibatch(block, rows, local, ids[:distinct])

    def loss(self, batch, model):
        """Return the weighted sum of the losses of a minibatch's rows.

        Parameters
        ----------
        batch : Minibatch
        model : float32 array of shape (len(batch.ids), width)

        Returns
        -------
        float
        """
        return self._call(batch, model, 0.0, None)

    def gradient(self, batch, model, factor):
        """Return loss and gradient of a minibatch.

        Parameters
        ----------
        batch : Minibatch
        model : float32 array of shape (len(batch.ids), width)
        factor : float

        Returns
        -------
        loss : float
            As of :meth:`loss`.
        gradient : float32 array of shape (len(batch.ids), width)
            ``factor`` times the gradient of that sum.
        """
        gradient = np.empty((batch.ids.size, self.width), np.float32)
        return self._call(batch, model, factor, gradient), gradient

    def check_labels(self, block, name):
        """Refuse a block with a label that this model has no class for.

        Raises
        ------
        BlockError
        """
        classes = max(self.width, 2)
        if block.labels is None:
            raise BlockError(f"{name} has no labels to train on")
        if block.n_rows and block.labels.max() >= classes:
            raise BlockError(f"{name} has a label beyond the {classes} classes of the model")
        if block.n_features != self.n_features:
            raise BlockError(f"{name} has {block.n_features} columns, the model {self.n_features}")

    def _call(self, batch, model, factor, gradient):
        """Run the kernel."""
        block = batch.block
        return _logistic(
            *(_at(block.indptr), _at(block.data), _at(block.labels), _at(block.weights)),
            *(_at(batch.rows), batch.rows.size, _at(batch.local), _at(model), batch.ids.size),
            *(self.width, self.intercept, factor, _at(self._scores), _at(gradient)),
        )


class Minibatch:
    """Some rows of a block with their columns numbered.

    Attributes
    ----------
    block : Block
    rows : uint32 array of shape (n,)
    local : uint32 array of shape (n_entries,)
        Place in ``ids`` of each entry's column, row after row.
    ids : uint32 array of shape (n_ids,)
        The distinct columns, and the intercept's row last if there is one.
    """

    __slots__ = ("block", "rows", "local", "ids")

    def __init__(self, block, rows, local, ids):
        self.block = block
        self.rows = rows
        self.local = local
        self.ids = ids


def _at(array):
    """Return the address of a C-contiguous array's data, None for no array."""
    return None if array is None else array.__array_interface__["data"][0]
