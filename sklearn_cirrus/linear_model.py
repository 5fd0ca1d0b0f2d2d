"""Linear models that train on workers."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from ._classes import classes_of, classes_of_stream, row_weights
from ._convergence import warn_of_nonconvergence
from ._dataset import Dataset
from ._linear_classifier import LinearClassifier
from ._logistic_parameters import check_parameters, learns_by_minibatches
from ._logistic_state import state_to_go_on_from, warm_start
from ._parameters import plain_count
from ._stages import stage
from .config import get_config

__all__ = ["CirrusLogisticRegression"]


class CirrusLogisticRegression(LinearClassifier):
    """Logistic regression trained by workers through a parameter server.

    Minimises scikit-learn's objective, ``C * sum_i s_i loss_i + penalty(coef_)``, with
    ``penalty = (1 - l1_ratio) / 2 * |w|^2 + l1_ratio * |w|_1``: binary, or multinomial for three
    and more classes. The intercept is not penalized.

    Rows are cut into blocks that workers take one after the other; they pull the weights that a
    minibatch needs, and push its gradient, in one round trip [1]_. Data of less than 1 MiB is
    one block: it is trained by one worker, and the same ``random_state`` gives the same model.
    With more workers, the order in which their updates meet is theirs, and models differ in the
    last digits.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, as in
        :class:`sklearn.linear_model.LogisticRegression`; ``np.inf``: no penalty.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, from 0 (L2 alone) to 1 (L1 alone).
    fit_intercept : bool, default=True
    class_weight : dict, "balanced" or None, default=None
    solver : {"sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl", "lbfgs"}, \
            default="adagrad"
        Update rule of the parameter server. With an L1 penalty only ``"ftrl"`` gives weights
        that are as sparse as the optimum. ``"lbfgs"`` uses all rows in every step, in float64: it
        comes to the optimum of :class:`sklearn.linear_model.LogisticRegression`, and to the same
        bits with any number of workers. It takes no L1 penalty and has no ``partial_fit``;
        ``learning_rate``, ``batch_size`` and ``early_stopping`` are refused, for they would have
        no meaning.
    learning_rate : "auto" or float, default="auto"
        ``"auto"`` is chosen from the curvature of the data and adapts while training goes on.
        A float is in the units of centred and scaled columns.
    batch_size : "auto" or int, default="auto"
        Rows of a minibatch. ``"auto"``: so that an epoch has about 112 minibatches, but from 4
        to 1000 rows.
    max_iter : int, default=100
        Most passes over the data (epochs); most iterations of lbfgs.
    tol : float or None, default=1e-4
        Training winds up when the objective (or, with ``early_stopping``, the held-out loss)
        has not improved by this much, relatively, for a while; None: after ``max_iter`` epochs.
        lbfgs ends when no component of the gradient, per unit of row weight, is larger.
    early_stopping : bool, default=False
        Whether to hold out rows, to stop by their loss, and to keep the weights of the best
        epoch.
    validation_fraction : float, default=0.1
        Share of the rows held out with ``early_stopping``; stratified by class.
    n_iter_no_change : int, default=5
        Half the number of epochs, at least, whose medians are compared with those before; lbfgs
        goes by the gradient instead.
    warm_start : bool, default=False
        Whether ``fit`` starts from the weights of the fit before.
    random_state : int, RandomState instance or None, default=None
        Decides the order of rows and which are held out; lbfgs leaves nothing to chance.
    n_workers : int, "auto" or None, default=None
        None: as configured, see :func:`sklearn_cirrus.config_context`. A fit never uses more
        workers than its data has blocks.
    backend : {"local", "inline", "lambda"} or None, default=None
        None: as configured.
    verbose : int, default=0
        Whether to show a progress line: loss, rows per second, workers, cost.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), float64
    intercept_ : ndarray of shape (1,) or (n_classes,), float64
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if X has string column names.
    n_iter_ : int
        Epochs run; iterations of lbfgs.
    history_ : list of dict
        For each epoch: ``epoch``, ``train_loss`` (mean over the epoch, while it learnt),
        ``objective`` (with the penalty, per unit of row weight), ``valid_loss`` (with
        ``early_stopping``), ``learning_rate``, ``rows``, ``updates``, ``workers``, ``seconds``
        (since the start of the fit), ``server_bytes``, ``workers_replaced``,
        ``server_restarts``, and sums over the workers: ``localize_seconds`` (numbering the columns
        of minibatches), ``compute_seconds``, ``server_seconds`` (round trips), ``load_seconds``
        (reading blocks, ahead of time with ``prefetch``), ``wait_seconds`` (without a block to
        work on), ``stall_seconds`` (the part of it while the block was being read). For each
        iteration of lbfgs: all of these but the learning rate and the updates, and ``gradient``
        (its largest component) and ``evaluations``.
    cost_ : float
        US dollars that the fit has cost; 0.0 on this machine.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : On one machine, exact.
    sklearn.linear_model.SGDClassifier : On one machine, stochastic.

    References
    ----------
    .. [1] Carreira et al. 2019, "Cirrus: a serverless framework for end-to-end ML workflows",
       SoCC.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_cirrus import CirrusLogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CirrusLogisticRegression(backend="inline", random_state=0).fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    """

    def __init__(
        self,
        C=1.0,
        *,
        l1_ratio=0.0,
        fit_intercept=True,
        class_weight=None,
        solver="adagrad",
        learning_rate="auto",
        batch_size="auto",
        max_iter=100,
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
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
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
    def fit(self, X, y=None, sample_weight=None):
        """Train on all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Of float32 or float64; computed with in float32, by lbfgs in float64. A CSR matrix is
            read as it is, other sparse formats are converted. Or a
            :class:`~sklearn_cirrus.Dataset`, whose rows workers read where they lie; what is to be
            known of the columns beforehand is then learnt from a sample of four blocks, by lbfgs
            from a pass of the workers over all.
        y : array-like of shape (n_samples,)
            May be left out with a Dataset, whose labels it must be.
        sample_weight : array-like of shape (n_samples,), optional
            Not negative; not with a Dataset.

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
            If a few exact steps on all rows show that the objective can be lowered by more than 100
            ``tol``, relatively; if epochs still brought that much when ``max_iter`` forced an end
            and this cannot be told so well (few epochs, an L1 penalty, ``early_stopping``, a large
            Dataset); if lbfgs has ended with a gradient beyond ``tol``.
        """
        config = self._settings()
        if isinstance(X, Dataset):
            from ._dataset_fit import fit_dataset

            fit_dataset(self, config, X, y, sample_weight)
            return self
        X, y = self._validate(X, y, reset=True)
        classes = classes_of(y)
        labels = np.searchsorted(classes, y)  # quicker than return_inverse, which sorts y
        start = warm_start(self, X, classes)
        weights = row_weights(X, y, classes, labels, self.class_weight, sample_weight)
        outcome = self._train(start, config, X, labels, weights, len(classes))
        self.classes_ = classes
        self._take(outcome)
        warn_of_nonconvergence(self, outcome, len(classes))
        return self

    @available_if(learns_by_minibatches)
    @stage("training")
    def partial_fit(self, X, y=None, classes=None, sample_weight=None):
        """Train one epoch on these rows, going on from where the last call stopped.

        The state of the solver goes on as well. A learning rate that is given stays constant, an
        automatic one falls with the steps taken; ``max_iter``, ``tol`` and ``early_stopping``
        have no say.

        Parameters
        ----------
        X : array-like, sparse matrix or Dataset of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            May be left out with a Dataset, whose labels it must be.
        classes : array-like of shape (n_classes,)
            All classes that will ever occur; required in the first call.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError, CirrusError
            As in :meth:`fit`.
        """
        config = self._settings()
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once and so has no meaning in "
                "partial_fit: compute the weights with sklearn.utils.class_weight."
                "compute_class_weight and pass them as a dict"
            )
        first = not hasattr(self, "coef_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        start = None if first else state_to_go_on_from(self)
        if isinstance(X, Dataset):
            from ._dataset_fit import partial_fit_dataset

            partial_fit_dataset(self, config, X, y, classes, sample_weight, start)
            return self
        X, y = self._validate(X, y, reset=first)
        classes = classes_of_stream(y, classes, None if first else self.classes_)
        labels = np.searchsorted(classes, y)
        weights = row_weights(X, y, classes, labels, self.class_weight, sample_weight)
        outcome = self._train(start, config, X, labels, weights, len(classes), one_pass=True)
        self.classes_ = classes
        self._take(outcome)
        return self

    def _settings(self):
        """Refuse bad parameters; return the settings for this fit."""
        check_parameters(self)
        return get_config(backend=self.backend, n_workers=plain_count(self.n_workers))

    def _train(self, start, *data, one_pass=False):
        """Run one fit; return its LogisticOutcome."""
        # Late: where a model only predicts there need be no Redis client.
        if self.solver == "lbfgs":
            from ._lbfgs_fit import LbfgsFit

            # Not the state: its weights are of float32.
            return LbfgsFit(self, *data).run(start and (self.coef_, self.intercept_))
        from ._logistic_fit import LogisticFit

        return LogisticFit(self, *data, one_pass=one_pass).run(start)

    def _take(self, outcome):
        """Set the fitted attributes."""
        self.coef_, self.intercept_ = outcome.coef, outcome.intercept
        self.history_ = outcome.history
        self.n_iter_ = outcome.n_iter
        self.cost_ = outcome.cost
        self._state = outcome.state
