"""A worker's part of a search over matrix factorizations: one pass trains all fits at once.

As in ``search.py`` a fit is one candidate on one split, and the server's table is as wide as all
fits together: the items' rows of each lie side by side, of as many floats as it has factors. Splits
are of ratings. So a block says of each of its ratings what every split does with it, and users are
solved for, for each fit, from the ratings that its split trains on. Those that it holds out are
predicted at once, by the user just solved for and the items that the minibatch has found.

The ratings of a minibatch are numbered once for all fits, and put in the order of pairs
(``cirrus_score_held_out``) once for all fits of a split.
"""

from ctypes import byref, c_double
from dataclasses import dataclass

import numpy as np

from .errors import BlockError
from .factorization import FactorizationKernel, Factors, factorize, padded_width
from .minibatch import MinibatchKernel, Pass, address
from .plan import StoredPlan

TRAIN, HELD_OUT = 1, 2  # what a split does with a rating; 0: nothing


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
        widths = [rank + plan.biased for rank in plan.rank]
        self._padded = most = max(padded_width(width) for width in widths)
        self._normal = np.empty(most * most, np.float32)
        self._user = np.empty(most, np.float32)
        self._places = 4 * (np.cumsum(widths) - widths)  # bytes, in a row of the model
        self._fits = [
            Factors(
                normal=address(self._normal),
                user=address(self._user),
                alpha=plan.alpha[i],
                mean=plan.mean[i],
                rank=plan.rank[i],
                biased=plan.biased,
                padded=padded_width(widths[i]),
                stride=plan.width,
                held=address(self._losses[1, i : i + 1]),
            )
            for i in range(len(widths))
        ]
        self._splits = [
            (split, [i for i, of_fit in enumerate(plan.split) if of_fit == split])
            for split in sorted(set(plan.split))
        ]

    def open(self, block, order, batch_rows):
        """Begin a pass over rows of a block, and the sums of its losses."""
        n_splits, n_entries = self.plan.splits, len(block.indices)
        if block.folds is None or block.folds.size != n_entries * n_splits:
            raise BlockError(f"the block does not have the {n_splits} splits of the search")
        super().open(block, order, batch_rows)
        self._losses[:] = 0.0
        self._scratch = [
            np.empty(shape, np.float32)
            for shape in (self._room * self._padded, self._room * self._padded, self._room)
        ]
        longest = int(np.diff(block.indptr).max(initial=0))
        self._scratch += [np.empty(self._room, np.float32), np.empty(longest, np.float32)]
        in_order = _InOrder(block, order)
        self._bounds = in_order.bounds
        folds = block.folds.reshape(n_entries, n_splits)[in_order.places]
        self._pairs = [in_order.pairs(folds[:, split]) for split, _ in self._splits]

    def gradient(self, model):
        """Return 0.0 and the gradients of the minibatch; the losses are added up.

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
        gradient = np.empty((self._distinct, self.width), np.float32)
        local = self._kept[2][: self._bounds[last] - self._bounds[first]]
        for (_, fits), pairs in zip(self._splits, self._pairs, strict=True):
            share = pairs.weight / max(1, len(self._bounds) - 1)
            factor = 1.0 / ((last - first) * share) if share else 0.0
            part = pairs.minibatch(first, last, local, self._bounds[first])
            for i in fits:
                self._add(i, pairs, part, (2 * first, 2 * last), model, factor, gradient)
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

    def _add(self, i, pairs, part, rows, model, factor, gradient):
        """Compute the gradient of a fit, and add to its losses."""
        fit, penalty, at = self._fits[i], c_double(0.0), int(self._places[i])
        fit.weights = address(pairs.weights)
        fit.table, fit.slopes, fit.offsets, fit.touches, fit.targets = map(address, self._scratch)
        loss = factorize(
            *(byref(part), byref(fit), *rows, model.ctypes.data + at, self._distinct),
            *(factor, gradient.ctypes.data + at, byref(penalty)),
        )
        self._losses[0, i] += loss + penalty.value


class _InOrder:
    """The entries of a block in the order of a pass.

    Attributes
    ----------
    places : array of shape (n_entries,)
        Where each is in the block.
    bounds : int64 array of shape (n_rows + 1,)
        Where each row of the pass begins.
    """

    def __init__(self, block, order):
        begins = block.indptr[order].astype(np.int64)
        counts = block.indptr[order + 1].astype(np.int64) - begins
        self.bounds = np.append(0, np.cumsum(counts))
        self.places = np.repeat(begins - self.bounds[:-1], counts) + np.arange(self.bounds[-1])
        self._ratings = block.data[self.places]
        weights = block.entry_weights
        self._weights = None if weights is None else weights[self.places]

    def pairs(self, roles):
        """Return what one split does with them."""
        return _Pairs(self.bounds, roles, self._ratings, self._weights)


class _Pairs:
    """The ratings of a split: for each user those it trains on, then those it holds out.

    Parameters
    ----------
    bounds : array of shape (n_rows + 1,)
        Where each user's ratings begin, in the order of the pass.
    roles : uint8 array of shape (n_entries,)
        Of each: TRAIN, HELD_OUT or 0.
    ratings : float32 array of shape (n_entries,)
    weights : float32 array of shape (n_entries,) or None
    """

    def __init__(self, bounds, roles, ratings, weights):
        n_rows = len(bounds) - 1
        sums = [np.append(0, np.cumsum(roles == role)) for role in (TRAIN, HELD_OUT)]
        counts = np.column_stack([np.diff(of_role[bounds]) for of_role in sums])
        self._indptr = np.append(0, np.cumsum(counts.ravel())).astype(np.uint32)
        self._chosen = np.empty(self._indptr[-1], np.int64)
        for i, role in enumerate((TRAIN, HELD_OUT)):
            begins = self._indptr[:-1][i::2].astype(np.int64)
            places = np.repeat(begins - sums[i][bounds[:-1]], counts[:, i])
            self._chosen[places + np.arange(len(places))] = np.flatnonzero(roles == role)
        self._ratings = ratings[self._chosen]
        self.weights = None if weights is None else weights[self._chosen]
        self._order = np.arange(2 * n_rows, dtype=np.uint32)
        trained = roles == TRAIN
        self.weight = float(
            trained.sum() if weights is None else weights[trained].sum(dtype=np.float64)
        )
        self._pass = Pass(
            indptr=address(self._indptr), data=address(self._ratings), order=address(self._order)
        )

    def minibatch(self, first, last, local, begin):
        """Return the pass of the rows first to last - 1, whose entries have these numbers."""
        part = slice(self._indptr[2 * first], self._indptr[2 * last])
        self._local = np.take(local, self._chosen[part] - begin)
        self._pass.local = address(self._local)
        return self._pass
