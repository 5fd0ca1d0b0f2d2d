"""A run of full batches whose first pass measures the columns: nobody else has the rows.

A block's moments are a function of the block alone (see ``column_moments.py`` of the runtime); they
are merged in the order of the blocks, as Chan, Golub and LeVeque 1983 do.
"""

import numpy as np

from cirrus_runtime.full_batch import read_body

from ._full_batch import FullBatchRun


class MeasuringRun(FullBatchRun):
    """A run that has workers measure the columns; parameters are those of ``FullBatchRun``.

    Attributes
    ----------
    costs_before : list of dict
        What measuring has cost.
    """

    def measure(self, table, products):
        """Go through the rows once, before any evaluation.

        Parameters
        ----------
        table : float64 array of shape (rows, width)
            Parameters of the first evaluation; they have no say yet.
        products : bool
            Whether to sum the products of columns, not their squares alone.

        Returns
        -------
        mean : float64 array of shape (n_features,)
            Weighted, over all rows.
        second : float64 array of shape (n_features, n_features) or (n_features,)
            Weighted mean of the products, or squares, of the columns about their means.

        Raises
        ------
        DivergenceError, WorkerError, ServerError, StoreError
        """
        d = self.job.n_features
        self._kind = "products" if products else "moments"
        self._weight, self._mean = 0.0, np.zeros(d)
        self._second = np.zeros((d, d) if products else d)
        try:
            reports = self._go_through(table)
        finally:
            self._kind = "gradient"
        self.costs_before = [self._costs(reports)]
        return self._mean, self._second / self._weight

    def _add(self, report, n_ids):
        if self._kind == "gradient":
            return super()._add(report, n_ids)
        # A block's row of values is as long as its ids are many, if these are products.
        ids, values = _read(report.body, self._kind == "products")
        if report.weight:
            self._merge(ids, values, report.weight)
        return ids

    def _merge(self, ids, values, weight):
        """Merge the moments of a block of this weight into those of the blocks before."""
        columns = ids < self.job.n_features  # the intercept is none
        ids, values = ids[columns], values[columns]
        mean = np.zeros_like(self._mean)
        mean[ids] = values[:, 0]
        apart, total = mean - self._mean, self._weight + weight
        self._mean += apart * (weight / total)
        share = self._weight * weight / total
        if self._kind == "products":
            self._second += np.outer(apart, apart) * share
            self._second[np.ix_(ids, ids)] += values[:, 1:][:, columns]
        else:
            self._second += apart**2 * share
            self._second[ids] += values[:, 1]
        self._weight = total


def _read(body, products):
    """Return ids and values of the body of a report."""
    if not products:
        return read_body(body, 2)
    # n ids of 4 bytes and n (n + 1) values of 8 make 8 n^2 + 12 n.
    n = round((-12 + (144 + 32 * len(body)) ** 0.5) / 16)
    return read_body(body, n + 1)
