"""A worker's part of a search: one pass over the rows trains all fits at once.

A fit is one candidate on one split of the rows into those to train on and those held out. The
server's table is as wide as all fits together; a column has a learning rate and penalties of its
own (``ModelSpec.varied``). A block says of each of its rows how often every split trains on it and
tests on it: what a fit does not train on gives it no gradient, what it tests on counts in its
held-out loss, at the weights that the row finds.

Which fits there are changes between epochs: some are done, dropped, or have come later. So a plan
lies in the store, and a lease names it. Each plan has a model of its own: who still works on a
lease of an older plan finds its model gone, and reports nothing.
"""

from ctypes import POINTER, Structure, byref, c_float, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass

import numpy as np

from .errors import BlockError
from .factor_search import FactorPlan
from .kernels import declare
from .keys import RunKeys
from .logistic import LogisticKernel
from .minibatch import Pass, address
from .plan import StoredPlan
from .server import ParameterServer


class _Many(Structure):
    """``cirrus_many`` of many.h, field by field."""

    _fields_ = [
        ("folds", c_void_p),
        ("split", c_void_p),
        ("class_weights", c_void_p),
        ("train", c_void_p),
        ("held", c_void_p),
        ("fits", c_uint32),
        ("classes", c_uint32),
        ("splits", c_uint32),
        ("labels", c_uint32),
    ]


_logistic_many = declare(
    "cirrus_logistic_many",
    *(None, POINTER(Pass), POINTER(_Many), c_size_t, c_size_t, c_void_p, c_uint32, c_float),
    c_void_p,
)


@dataclass(frozen=True)
class Plan(StoredPlan):
    """The fits that a pass trains, in the order of their columns.

    Attributes
    ----------
    classes : int
        Weights of a fit in a row of the model: 1 (binary) or the number of classes.
    splits : int
        Splits of the rows.
    split : list of int
        Of each fit.
    class_weights : list of list of float
        Of each fit, by class: what the weight of a row that it trains on is multiplied by.
    """

    classes: int
    splits: int
    split: list
    class_weights: list

    @property
    def width(self):
        """Columns of the model."""
        return self.classes * len(self.split)

    def kernel(self, job):
        """Return the kernel of a worker that follows this plan."""
        return SearchKernel(job.n_features, self, job.intercept)


class SearchKernel(LogisticKernel):
    """Losses and gradients of all fits of a plan.

    Parameters
    ----------
    n_features : int
    plan : Plan
    intercept : bool
    """

    def __init__(self, n_features, plan, intercept):
        super().__init__(n_features, plan.width, intercept)
        self.plan = plan
        self._split = np.array(plan.split, np.uint32)
        self._weights = np.array(plan.class_weights, np.float32)
        self._losses = np.zeros((2, len(plan.split)))
        self._many = _Many(
            split=address(self._split),
            class_weights=address(self._weights),
            train=address(self._losses[0]),
            held=address(self._losses[1]),
            fits=len(plan.split),
            classes=plan.classes,
            splits=plan.splits,
            labels=max(2, plan.classes),
        )

    def open(self, block, order, batch_rows):
        """Begin a pass over rows of a block, and the sums of its losses."""
        if block.folds is None or block.folds.size != block.n_rows * 2 * self.plan.splits:
            raise BlockError(f"the block does not have the {self.plan.splits} splits of the search")
        super().open(block, order, batch_rows)
        self._many.folds = address(block.folds)
        self._losses[:] = 0.0

    def gradient(self, model):
        """Return 0.0 and the gradients of the minibatch, until the next; the losses are added up.

        Parameters
        ----------
        model : float32 array of shape (n_ids, width), C-contiguous

        Returns
        -------
        loss : float
            None in particular: see :meth:`take_losses`.
        gradient : float32 array of shape (n_ids, width)
            Of each fit's weighted loss, divided by the rows of the minibatch, in its own columns.
        """
        first, last = self._rows
        gradient = self.room_for_gradient()
        _logistic_many(
            *(self._pointer, byref(self._many), first, last, address(model), self._distinct),
            *(1.0 / (last - first), address(gradient)),
        )
        return 0.0, gradient

    def loss(self, model):
        """Add up the losses of the minibatch's rows; return 0.0."""
        return self.gradient(model)[0]

    def take_losses(self):
        """Return the losses of the pass as bytes: see :func:`read_losses`."""
        return self._losses.tobytes()


def read_losses(body):
    """Return the losses in a report: float64 of shape (2, n_fits).

    First the weighted sums over the rows trained on, then the sums over those held out.
    """
    return np.frombuffer(body, "<f8").reshape(2, -1)


class Search:
    """What a worker knows of a search: the plan that it follows.

    Parameters
    ----------
    job : TrainJob
    store : Store
    engine : Engine
    """

    def __init__(self, job, store, engine):
        self._job = job
        self._store = store
        self._engine = engine
        self._keys = RunKeys(job.run_id)
        self._number = None

    def follow(self, lease):
        """Return the kernel and the parameter server of a lease's plan."""
        if lease.plan != self._number:
            kind = FactorPlan if self._job.kind == "factor_search" else Plan
            plan = kind.decode(self._store.get(self._keys.plan(lease.plan)))
            self._kernel = plan.kernel(self._job)
            self._server = ParameterServer(self._engine, self._keys.table(lease.plan))
            self._number = lease.plan
        return self._kernel, self._server
