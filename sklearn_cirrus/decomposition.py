"""Matrix factorization that trains on workers."""

import numpy as np
from scipy import sparse

from ._dataset import Dataset
from ._factor_model import FactorModel
from ._factorization_parameters import check_parameters
from ._factorization_warning import warn_of_failure
from ._parameters import plain_count
from ._rating_matrix import moments, rating_matrix, rating_weights
from ._stages import stage
from .config import get_config

__all__ = ["CirrusMatrixFactorization"]


class CirrusMatrixFactorization(FactorModel):
    """Matrix factorization of ratings, trained by workers through a parameter server.

    The rating of item i by user u is predicted as ``mean + b_u + b_i + p_u . q_i`` [1]_, or as
    ``p_u . q_i`` if not ``biased``. Factors and biases minimise, over all ratings r of weight w::

        sum w [(r - mean - b_u - b_i - p_u . q_i)^2 + alpha (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2)]

    So a user or item of many ratings is penalized in proportion [2]_. Workers solve for the users
    of a minibatch exactly, given the items, and push the gradient of what then remains as a
    function of the items alone. Only items are on the server, only users in the blocks of the data.
    Data of less than 1 MiB is one block: it is trained by one worker, and the same
    ``random_state`` gives the same model.

    Parameters
    ----------
    n_components : int, default=10
        Number of factors.
    alpha : float, default=0.1
        Strength of the penalty for each rating, in squared units of the rating; positive. Few
        ratings want more: 0.15 was best for 100,000 of films, 0.05 for 3 million made-up ones.
    biased : bool, default=True
        Whether there are a mean and biases; otherwise there are factors alone.
    solver : {"sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl", "als"}, default="adagrad"
        Update rule of the parameter server. ``"als"``: alternating least squares [2]_, exact steps
        on all ratings. For it ``learning_rate`` and ``batch_size`` are refused, for they would
        have no meaning.
    learning_rate : "auto" or float, default="auto"
        ``"auto"`` is chosen from the data.
    batch_size : "auto" or int, default="auto"
        Users of a minibatch.
    max_iter : int, default=20
        Most passes over the data (epochs); most iterations of als.
    tol : float or None, default=1e-4
        Training winds up when the objective (or, with ``early_stopping``, the held-out loss)
        has not improved by this much, relatively, for a while; None: after ``max_iter``.
    early_stopping : bool, default=False
        Whether to hide ratings, to stop by the error on them, and to keep the items of the best
        epoch.
    validation_fraction : float, default=0.1
        Share of the ratings hidden with ``early_stopping``.
    n_iter_no_change : int, default=5
        Half the number of epochs, at least, whose medians are compared with those before.
        als with ``early_stopping``: iterations without improvement that end it.
    warm_start : bool, default=False
        Whether ``fit`` starts from the items of the fit before.
    random_state : int, RandomState instance or None, default=None
        Decides the items to begin with, the order of users and which ratings are hidden.
    n_workers : int, "auto" or None, default=None
        None: as configured, see :func:`sklearn_cirrus.config_context`. A fit never uses more
        workers than its data has blocks.
    backend : {"local", "inline", "lambda"} or None, default=None
        None: as configured.
    verbose : int, default=0
        Whether to show a progress line: loss, rows per second, workers, cost.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items)
        Factors of the items, of X's dtype; zeros for an item without ratings.
    item_bias_ : ndarray of shape (n_items,)
        Zeros if not ``biased``.
    user_factors_ : ndarray of shape (n_users, n_components + biased)
        Factors of the users of the fit, their bias last: what ``fit_transform`` returns.
    mean_ : float
        Weighted mean of the ratings; 0.0 if not ``biased``.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if X has string column names.
    n_iter_ : int
        Epochs run; iterations of als.
    history_ : list of dict
        One entry for each epoch, as that of :class:`CirrusLogisticRegression`; losses are mean
        squared errors, and rows are ratings.
    cost_ : float
        US dollars that the fit has cost; 0.0 on this machine.

    See Also
    --------
    sklearn.decomposition.NMF : Of a matrix that is known throughout.
    sklearn_cirrus.model_selection.RatingsKFold : Cross-validation that hides ratings.

    References
    ----------
    .. [1] Koren, Bell, Volinsky 2009, "Matrix factorization techniques for recommender systems",
       Computer 42 (8).
    .. [2] Zhou, Wilkinson, Schreiber, Pan 2008, "Large-scale parallel collaborative filtering for
       the Netflix prize", AAIM.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cirrus import CirrusMatrixFactorization
    >>> X = [[5, 4, np.nan, 1], [4, np.nan, 5, 1], [np.nan, 1, 2, 5], [1, 2, 1, np.nan]]
    >>> mf = CirrusMatrixFactorization(n_components=1, backend="inline", random_state=0).fit(X)
    >>> items, ratings = mf.recommend([0, 2], n_items=1)
    >>> items
    array([[2],
           [0]])
    """

    def __init__(
        self,
        n_components=10,
        *,
        alpha=0.1,
        biased=True,
        solver="adagrad",
        learning_rate="auto",
        batch_size="auto",
        max_iter=20,
        tol=1e-4,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        warm_start=False,
        random_state=None,
        n_workers=None,
        backend=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.biased = biased
        self.solver = solver
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_workers = n_workers
        self.backend = backend
        self.verbose = verbose

    @stage("training")
    def fit(self, X, y=None, *, rating_weight=None):
        """Train on all ratings.

        Parameters
        ----------
        X : Ratings, sparse matrix, array-like or Dataset of shape (n_users, n_items)
            Sparse: what is stored are the ratings, zeros too. Dense: NaN is no rating. A CSR matrix
            of float32 or float64 is read as it is, all else is converted. Users and items may
            be without ratings. A :class:`~sklearn_cirrus.Dataset` has sparse rows, or is a table of
            ratings: the numbers of a user and of an item, from 0, and the rating, in columns of
            this order; or the first two, and the rating as label. Workers make rows of it.
        y : None
            Ignored.
        rating_weight : sparse matrix or array-like of shape (n_users, n_items), optional
            Not negative. Sparse: of the pattern of X. Dense: has no say where there is no rating.
            For Ratings an array-like of shape (n_ratings,) is good as well. A rating of weight zero
            is as if it were not there. Not with a Dataset.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad parameters or data.
        CirrusError
            Server, workers or store failed.

        Warns
        -----
        ConvergenceWarning
            If the model is no better than a constant, or training was cut short by ``max_cost`` or
            from the dashboard. Not if ``max_iter`` ended it: unseen ratings are mostly predicted
            best before the optimum.
        """
        check_parameters(self)
        config = get_config(backend=self.backend, n_workers=plain_count(self.n_workers))
        if isinstance(X, Dataset):
            from ._dataset_factorization import fit_dataset

            fit_dataset(self, config, X, rating_weight)
            return self
        matrix = rating_matrix(self, X, reset=True)
        if matrix.nnz == 0:
            raise ValueError("X has no rating")
        weights = rating_weights(rating_weight, X, matrix)
        start = self._start(matrix)
        mean, square = moments(matrix, weights)
        outcome = self._train(config, matrix, weights, mean if self.biased else 0.0, start)
        self._take_ratings(outcome, mean if self.biased else 0.0, matrix, weights)
        warn_of_failure(self, outcome, mean, square)
        return self

    def fit_transform(self, X, y=None, *, rating_weight=None):
        """Train on all ratings, and return the factors of their users.

        Parameters
        ----------
        X : Ratings, sparse matrix, array-like or Dataset of shape (n_users, n_items)
        y : None
            Ignored.
        rating_weight : sparse matrix or array-like of shape (n_users, n_items), optional
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_users, n_components + biased)
            As :meth:`transform` returns it for the same ratings and weights.
        """
        return self.fit(X, rating_weight=rating_weight).user_factors_.copy()

    def _start(self, matrix):
        """Return the table of items to begin with, float32 of shape (n_items, width), or None."""
        if not self.warm_start or not hasattr(self, "components_"):
            return None
        shape = *self.components_.shape, self._biased
        expected = self.n_components, matrix.shape[1], self.biased
        if shape != expected:
            raise ValueError(
                "warm_start=True needs n_components, items and biased of the fit before: "
                f"{shape[0]}, {shape[1]} and {shape[2]}, not {expected[0]}, {expected[1]} "
                f"and {self.biased}"
            )
        table = np.vstack([self.components_, self.item_bias_])[: self.n_components + self.biased]
        return np.ascontiguousarray(table.T, np.float32)

    def _train(self, config, matrix, weights, mean, start):
        """Run one fit; return its FactorizationOutcome."""
        # Late: where a model only predicts there need be no Redis client.
        if self.solver == "als":
            from ._als_fit import AlsFit as Fit
        else:
            from ._factorization_fit import FactorizationFit as Fit

        if weights is not None and not weights.all():
            kept = weights > 0
            indptr = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
            parts = matrix.data[kept], matrix.indices[kept], indptr
            matrix, weights = sparse.csr_array(parts, shape=matrix.shape), weights[kept]
        return Fit(self, config, matrix, weights, mean).run(start)

    def _take_ratings(self, outcome, mean, matrix, weights):
        """Set the fitted attributes."""
        self._take_items(outcome, mean, matrix.dtype)
        self.user_factors_ = self._fold_in(matrix, weights)
        self._seen = matrix.indptr.copy(), matrix.indices.copy()

    def _take_items(self, outcome, mean, dtype):
        """Set the fitted attributes, but for those of the users."""
        k = int(self.n_components)
        items = outcome.items.T.astype(dtype)
        self.components_ = np.ascontiguousarray(items[:k])
        self.item_bias_ = items[k].copy() if self.biased else np.zeros_like(items[0])
        self.mean_ = mean
        self.history_ = outcome.history
        self.n_iter_ = outcome.n_iter
        self.cost_ = outcome.cost
        self._alpha = float(self.alpha)
        self._biased = bool(self.biased)
