"""The exact fit of logistic regression on a Dataset: workers read the blocks where they lie.

What a fit on arrays learns of the columns from X, workers tell it here in a first pass. So the
fit itself has seen no row, and comes to the same optimum.
"""

import numpy as np

from ._ingest import Part
from ._lbfgs_fit import LbfgsFit
from ._measuring_run import MeasuringRun
from ._moments import Moments
from ._reach import check_reach
from ._smallest import WIDEST, smallest_of_products
from ._variables import is_narrow


class DatasetLbfgsFit(LbfgsFit):
    """One fit of logistic regression by L-BFGS on a Dataset.

    Parameters
    ----------
    params : CirrusLogisticRegression
    config : Config
    data : Dataset
    becomes : int array
        Which class of the fit each class of the dataset is.
    indices : int array of shape (n_rows,)
        Class of each row among those of the dataset.
    class_weights : float64 array of shape (n_classes,) or None
    n_classes : int
    """

    nbytes = 0  # no blocks are put
    _run_of = MeasuringRun

    def __init__(self, params, config, data, becomes, indices, class_weights, n_classes):
        labels = becomes[indices]
        weights = None if class_weights is None else class_weights[labels]
        if weights is not None and not weights.any():
            raise ValueError("The sample weights of the rows to train on are all zero.")
        super().__init__(params, config, data, labels, weights, n_classes)
        check_reach(self.config, data.url)
        self._becomes, self._of_class = becomes, class_weights

    def _columns(self, run, table):
        d, intercept = self.X.shape[1], bool(self.params.fit_intercept)
        # Without a penalty, the smallest of all optima is found by the products.
        whole = is_narrow(d) or (np.isinf(self.params.C) and d <= WIDEST)
        mean, second = run.measure(table, whole)
        if not intercept:
            second = second + (np.outer(mean, mean) if whole else mean**2)
            mean = np.zeros(d)
        variance = np.diagonal(second).copy() if whole else second
        moments = Moments.with_constants(mean, variance)
        self._moments, self._second = moments, second
        if not is_narrow(d):
            return moments, None
        covariance = second.copy()
        constant = moments.variance == 0
        covariance[constant], covariance[:, constant] = 0.0, 0.0
        return moments, covariance

    def _smallest(self, table):
        if self.X.shape[1] > WIDEST:
            return table
        scale = np.sqrt(self._moments.variance)
        scale[scale == 0] = 1.0
        products = self._second / (scale * scale[:, None])
        center, intercept = self._moments.center, bool(self.params.fit_intercept)
        return smallest_of_products(table, products, center, scale, intercept)

    def _bytes(self):
        return self.X.nbytes

    def _options(self):
        data = self.X.with_step({"step": "rows", "dtype": self.X.dtype})
        weights = None if self._of_class is None else self._of_class.tolist()
        data = data.with_step({
            "step": "labels", "becomes": self._becomes.astype(float).tolist(),
            "weights": weights, "precision": "float64",
        })  # fmt: skip
        return {"parts": {"train": {"view": data.view(), "names": list(data.blocks())}}}

    def _part(self):
        return Part((), self.X.n_blocks, len(self.X))
