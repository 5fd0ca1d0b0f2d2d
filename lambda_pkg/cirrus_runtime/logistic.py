"""Logistic loss and gradient of minibatches, through the compiled kernels."""

from ctypes import POINTER, c_double, c_float, c_size_t, c_uint32, c_void_p

import numpy as np

from .errors import BlockError
from .kernels import declare
from .minibatch import MinibatchKernel, Pass, address

_logistic = declare(
    "cirrus_logistic",
    *(c_double, POINTER(Pass), c_size_t, c_size_t, c_void_p, c_uint32, c_float, c_void_p),
)


class LogisticKernel(MinibatchKernel):
    """Logistic loss and gradient of minibatches; see ``MinibatchKernel``.

    Parameters
    ----------
    n_features : int
    width : int
        1 for binary (labels 0 and 1), else the number of classes.
    intercept : bool
        Whether the model has a last row, ``n_features``, that every data row touches.
    """

    @classmethod
    def of(cls, job):
        """Return the kernel for a TrainJob."""
        return cls(job.n_features, job.width, job.intercept)

    def check_labels(self, block, name):
        """Refuse a block that is not for this model.

        Raises
        ------
        BlockError
        """
        classes = max(self.width, 2)
        if block.labels is None:
            raise BlockError(f"{name} has no labels to train on")
        if block.n_rows and block.labels.max() >= classes:
            raise BlockError(f"{name} has a label beyond the {classes} classes of the model")
        self.check_columns(block, name)

    def accept(self, block, name):
        """Refuse a block that is not for this model, or not of float32 values.

        Raises
        ------
        BlockError
        """
        self.check_labels(block, name)
        if any(a is not None and a.dtype != np.float32 for a in (block.data, block.weights)):
            raise BlockError(f"{name} has float64 values, which only a full batch computes with")

    def loss(self, model):
        """Return the weighted sum of the losses of the minibatch's rows."""
        return _logistic(self._pointer, *self._rows, address(model), self._distinct, 0.0, None)

    def gradient(self, model):
        """Return the sum of the losses, and the gradient divided by the rows."""
        first, last = self._rows
        gradient = np.empty((self._distinct, self.width), np.float32)
        loss = _logistic(
            *(self._pointer, first, last, address(model), self._distinct),
            *(1.0 / (last - first), address(gradient)),
        )
        return loss, gradient
