"""A worker's part of a search over matrix factorizations: one pass trains all fits at once.

As in ``search.py`` a fit is one candidate on one split, and the server's table is as wide as all
fits together: the items' rows of each lie side by side, of as many floats as it has factors. Splits
are of ratings. So a block says of each of its ratings what every split does with it, and users are
solved for, for each fit, from the ratings that its split trains on. Those that it holds out are
predicted at once, by the user just solved for and the items that the minibatch has found.

The ratings of a minibatch are numbered once for all fits, and put in the order of pairs
(``cirrus_score_held_out``) once for all fits of a split. Fits of a split that have as many factors
are computed together, a number of several in one register: see many_factors.h.
"""

from ctypes import POINTER, Structure, byref, c_double, c_float, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass

import numpy as np

from .errors import BlockError
from .factor_pairs import InOrder
from .factorization import FactorizationKernel, Factors, factorize, padded_width
from .kernels import declare
from .minibatch import MinibatchKernel, Pass, address
from .plan import StoredPlan

_TOGETHER = 8  # CIRRUS_FITS of many_factors.h


class _Many(Structure):
    """``cirrus_many_factors`` of many_factors.h, field by field."""

    _fields_ = [
        ("weights", c_void_p),
        ("table", c_void_p),
        ("slopes", c_void_p),
        ("biases", c_void_p),
        ("touches", c_void_p),
        ("targets", c_void_p),
        ("normal", c_void_p),
        ("user", c_void_p),
        ("alpha", c_void_p),
        ("mean", c_void_p),
        ("places", c_void_p),
        ("train", c_void_p),
        ("held", c_void_p),
        ("which", c_void_p),
        ("fits", c_uint32),
        ("rank", c_uint32),
        ("biased", c_uint32),
        ("padded", c_uint32),
        ("stride", c_uint32),
    ]


_factorize_many = declare(
    "cirrus_factorize_many",
    *(None, POINTER(Pass), POINTER(_Many), c_size_t, c_size_t, c_void_p, c_uint32, c_float),
    c_void_p,
)


@dataclass(frozen=True)
class FactorPlan(StoredPlan):
    """The fits that a pass trains, in the order of their columns.

    Attributes
    ----------
    biased : bool
    splits : int
        Splits of the ratings.
    split, rank : list of int
        Of each fit, and the number of its factors.
    alpha, mean : list of float
        Of each fit: strength of the penalty, and what is added to every prediction.
    """

    biased: bool
    splits: int
    split: list
    rank: list
    alpha: list
    mean: list

    @property
    def width(self):
        """Columns of the model."""
        return sum(self.rank) + self.biased * len(self.rank)

    def kernel(self, job):
        """Return the kernel of a worker that follows this plan."""
        return FactorSearchKernel(job.n_features, self)


class FactorSearchKernel(MinibatchKernel):
    """Losses and gradients of all fits of a plan; see ``MinibatchKernel``.

    Parameters
    ----------
    n_items : int
    plan : FactorPlan
    """

    accept = FactorizationKernel.accept
    count = FactorizationKernel.count
    weight = FactorizationKernel.weight

    def __init__(self, n_items, plan):
        super().__init__(n_items, plan.width, False)
        self.plan = plan
        self._losses = np.zeros((2, len(plan.split)))
        widths = np.array(plan.rank) + plan.biased
        self._padded = padded_width(int(widths.max()))
        self._places = (np.cumsum(widths) - widths).astype(np.uint32)
        self._of_fits = np.array([plan.alpha, plan.mean], np.float32)
        alike = {}
        for i, key in enumerate(zip(plan.split, plan.rank, strict=True)):
            alike.setdefault(key, []).append(i)
        # Fits that lie side by side in the model one after the other: it is then in the cache.
        self._alike = sorted(
            (
                (*key, np.array(fits[at : at + _TOGETHER], np.uint32))
                for key, fits in alike.items()
                for at in range(0, len(fits), _TOGETHER)
            ),
            key=lambda group: group[2][0],
        )
        # One fit alone has room in a corner of what a group takes.
        most = min(_TOGETHER, max(len(fits) for *_, fits in self._alike))
        self._fits = most if most == 1 else -(-most // 4) * 4

    def open(self, block, order, batch_rows):
        """Begin a pass over rows of a block, and the sums of its losses."""
        n_splits, n_entries = self.plan.splits, len(block.indices)
        if block.folds is None or block.folds.size != n_entries * n_splits:
            raise BlockError(f"the block does not have the {n_splits} splits of the search")
        super().open(block, order, batch_rows)
        self._losses[:] = 0.0
        longest, p = int(np.diff(block.indptr).max(initial=0)), self._padded
        sizes = {"table": self._room * p, "slopes": self._room * p, "biases": self._room}
        sizes |= {"touches": self._room, "targets": longest, "normal": p * p, "user": p}
        self._scratch = {
            name: np.empty(self._fits * size, np.float32) for name, size in sizes.items()
        }
        in_order = InOrder(block, order)
        self._bounds = in_order.bounds
        folds = block.folds.reshape(n_entries, n_splits)[in_order.places]
        self._pairs = {
            split: in_order.pairs(folds[:, split]) for split in sorted(set(self.plan.split))
        }
        self._settings = [
            (split, fits, self._settings_of(split, rank, fits)) for split, rank, fits in self._alike
        ]

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
            Of each fit's objective, divided by what a minibatch of as many users weighs on average
            in this block, in its own columns.
        """
        first, last = self._rows
        gradient = self.room_for_gradient()
        local = self._kept[2][: self._bounds[last] - self._bounds[first]]
        begin, n_rows = self._bounds[first], max(1, len(self._bounds) - 1)
        parts = {
            split: of_split.minibatch(first, last, local, begin)
            for split, of_split in self._pairs.items()
        }
        for split, fits, settings in self._settings:
            weight = self._pairs[split].weight
            factor = n_rows / ((last - first) * weight) if weight else 0.0
            minibatch = byref(parts[split]), byref(settings), 2 * first, 2 * last
            if len(fits) == 1:
                self._add(int(fits[0]), minibatch, model, factor, gradient)
            else:
                of_model, of_gradient = address(model), address(gradient)
                _factorize_many(*minibatch, of_model, self._distinct, factor, of_gradient)
        return 0.0, gradient

    def loss(self, model):
        """Add up the losses of the minibatch's rows; return 0.0."""
        return self.gradient(model)[0]

    def take_losses(self):
        """Return the losses of the pass as bytes: see ``read_losses`` of ``search.py``.

        First the weighted sums of squared errors and penalties that are trained on, then the sums
        of the squared errors that are held out.
        """
        return self._losses.tobytes()

    def _add(self, i, minibatch, model, factor, gradient):
        """Compute the gradient of a fit that is alone, and add to its losses."""
        at, penalty = 4 * int(self._places[i]), c_double(0.0)
        loss = factorize(
            *(*minibatch, address(model) + at, self._distinct),
            *(factor, address(gradient) + at, byref(penalty)),
        )
        self._losses[0, i] += loss + penalty.value

    def _settings_of(self, split, rank, fits):
        """Return what the compiled function for a group of fits, or for one, has to know."""
        shared = {name: address(scratch) for name, scratch in self._scratch.items()}
        shared |= {
            "weights": address(self._pairs[split].weights),
            "rank": rank,
            "biased": self.plan.biased,
            "padded": padded_width(rank + self.plan.biased),
            "stride": self.width,
        }
        if len(fits) == 1:
            i = int(fits[0])
            alpha, mean = self._of_fits[:, i]
            held = address(self._losses[1, i : i + 1])
            return Factors(
                offsets=shared.pop("biases"), alpha=alpha, mean=mean, held=held, **shared
            )
        return _Many(
            alpha=address(self._of_fits[0]),
            mean=address(self._of_fits[1]),
            places=address(self._places),
            train=address(self._losses[0]),
            held=address(self._losses[1]),
            which=address(fits),
            fits=len(fits),
            **shared,
        )
