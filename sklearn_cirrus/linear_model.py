"""Linear models that train on workers."""

import warnings

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._logistic_state import LogisticState
from ._parameters import check_choice, check_flag, check_integer, check_real, check_seed
from ._validation import check_weights
from .config import get_config

__all__ = ["CirrusLogisticRegression"]

SOLVERS = ("sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl")  # by minibatches
# What has no meaning for lbfgs, and its default. n_iter_no_change would belong here, but
# scikit-learn's own checks set it wherever there is one.
_ONLY_MINIBATCHES = {"learning_rate": "auto", "batch_size": "auto", "early_stopping": False}


def _learns_by_minibatches(estimator):
    """Say why a solver has no partial_fit."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is not available with solver='lbfgs', which uses all rows at once: "
            f"choose one of {', '.join(SOLVERS)}"
        )
    return True


class CirrusLogisticRegression(ClassifierMixin, BaseEstimator):
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
    n_workers : int or None, default=None
        None: as configured, see :func:`sklearn_cirrus.config_context`. A fit never uses more
        workers than its data has blocks.
    backend : {"local", "inline", "lambda"} or None, default=None
        None: as configured.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), float64
    intercept_ : ndarray of shape (1,) or (n_classes,), float64
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only if X has string column names.
    n_iter_ : int
        Epochs run; iterations of lbfgs.
    history_ : list of dict
        For each epoch: ``epoch``, ``train_loss`` (mean over the epoch, while it learnt),
        ``objective`` (with the penalty, per unit of row weight), ``valid_loss`` (with
        ``early_stopping``), ``learning_rate``, ``rows``, ``updates``, ``workers``, ``seconds``
        (since the start of the fit), ``compute_seconds``, ``server_seconds``,
        ``wait_seconds`` (sums over the workers), ``server_bytes``, ``workers_replaced``,
        ``server_restarts``. For each iteration of lbfgs: all of these but the learning rate and
        the updates, and ``gradient`` (its largest component) and ``evaluations``.
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

    def fit(self, X, y, sample_weight=None):
        """Train on all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            float32 or float64; computed with in float32, by lbfgs in float64. A CSR matrix is
            read as it is, other sparse formats are converted.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
            Not negative.

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
            If epochs still brought more than 100 ``tol`` when ``max_iter`` forced an end; if lbfgs
            has ended with a gradient beyond ``tol``.
        """
        config = self._check_parameters()
        X, y = self._validate(X, y, reset=True)
        classes = np.unique(y)
        labels = np.searchsorted(classes, y)  # quicker than return_inverse, which sorts y
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {classes[0]!r}"
            )
        goes_on = self.warm_start and hasattr(self, "coef_")
        if goes_on:
            self._check_warm_start(X, classes)
        weights = self._row_weights(X, y, classes, labels, sample_weight)
        start = LogisticState.of_weights(self.coef_, self.intercept_) if goes_on else None
        outcome = self._train(start, config, X, labels, weights, len(classes))
        self.classes_ = classes
        self._take(outcome)
        self._warn_of_nonconvergence(outcome, len(classes))
        return self

    @available_if(_learns_by_minibatches)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on these rows, going on from where the last call stopped.

        The state of the solver goes on as well. A learning rate that is given stays constant, an
        automatic one falls with the steps taken; ``max_iter``, ``tol`` and ``early_stopping``
        have no say.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
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
        config = self._check_parameters()
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once and so has no meaning in "
                "partial_fit: compute the weights with sklearn.utils.class_weight."
                "compute_class_weight and pass them as a dict"
            )
        first = not hasattr(self, "coef_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        X, y = self._validate(X, y, reset=first)
        changed = not first and classes is not None
        if changed and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes={classes!r} is not the same as on last call to partial_fit, "
                f"was: {self.classes_!r}"
            )
        classes = np.unique(classes) if first else self.classes_
        if len(classes) < 2:
            raise ValueError(f"classes must name at least 2 classes, not only {classes!r}")
        unknown = np.setdiff1d(y, classes)
        if unknown.size:
            raise ValueError(f"y has classes that partial_fit was not told of: {unknown!r}")
        labels = np.searchsorted(classes, y)
        weights = self._row_weights(X, y, classes, labels, sample_weight)
        start = None if first else self._state_to_go_on_from()
        outcome = self._train(start, config, X, labels, weights, len(classes), one_pass=True)
        self.classes_ = classes
        self._take(outcome)
        return self

    def decision_function(self, X):
        """Return the margins of rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Binary: positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Return the most probable class of rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        indices = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[indices.astype(int)]

    def predict_proba(self, X):
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of every class, exact also where it is small.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_parameters(self):
        """Refuse bad parameters; return the settings for this fit."""
        check_real("C", self.C, 0, np.inf, also=(np.inf,), closed=False)
        check_real("l1_ratio", self.l1_ratio, 0, 1)
        check_flag("fit_intercept", self.fit_intercept)
        check_choice("solver", self.solver, (*SOLVERS, "lbfgs"))
        check_real("learning_rate", self.learning_rate, 0, 1e9, also=("auto",), closed=False)
        check_integer("batch_size", self.batch_size, 1, also=("auto",))
        check_integer("max_iter", self.max_iter, 1)
        check_real("tol", self.tol, 0, 1, also=(None,))
        check_flag("early_stopping", self.early_stopping)
        check_real("validation_fraction", self.validation_fraction, 0, 1, closed=False)
        check_integer("n_iter_no_change", self.n_iter_no_change, 1)
        check_flag("warm_start", self.warm_start)
        check_integer("n_workers", self.n_workers, 1, also=(None,))
        check_seed("random_state", self.random_state)
        check_integer("verbose", self.verbose, 0, also=(True, False))
        if self.solver == "lbfgs":
            self._check_parameters_of_lbfgs()
        n_workers = None if self.n_workers is None else int(self.n_workers)
        return get_config(backend=self.backend, n_workers=n_workers)

    def _check_parameters_of_lbfgs(self):
        """Refuse what has no meaning for a full batch."""
        if self.l1_ratio != 0:
            raise ValueError(
                "Solver lbfgs supports only 'l2' or None penalties, got "
                f"l1_ratio={self.l1_ratio}: use l1_ratio=0, or solver='ftrl'"
            )
        for name, default in _ONLY_MINIBATCHES.items():
            if getattr(self, name) != default:
                raise ValueError(
                    f"{name} has no meaning for solver='lbfgs', which uses all rows at once: "
                    f"leave it at {default!r}, not {getattr(self, name)!r}"
                )

    def _validate(self, X, y="no_validation", *, reset):
        """Validate X, and y if given, as scikit-learn does."""
        checks = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "reset": reset}
        if isinstance(y, str):
            return validate_data(self, X, **checks)
        X, y = validate_data(self, X, y, **checks)
        check_classification_targets(y)
        return X, y

    def _row_weights(self, X, y, classes, labels, sample_weight):
        """Return the weights of the rows, float64, or None where all are one."""
        weights = check_weights(sample_weight, X)
        if self.class_weight is None:
            return weights
        of_class = compute_class_weight(
            self.class_weight, classes=classes, y=y, sample_weight=weights
        )
        return of_class[labels] * (1.0 if weights is None else weights)

    def _check_warm_start(self, X, classes):
        """Refuse data that the weights of the fit before do not fit."""
        if not np.array_equal(classes, self.classes_) or self.coef_.shape[1] != X.shape[1]:
            raise ValueError(
                "warm_start=True needs the classes and the number of features of the fit before: "
                f"{self.classes_!r} and {self.coef_.shape[1]}, not {classes!r} and {X.shape[1]}"
            )

    def _state_to_go_on_from(self):
        """Return the solver's state, or the weights alone after a fit with another solver."""
        state = self._state
        if state.solver == self.solver and state.has_intercept == self.fit_intercept:
            return state
        return LogisticState.of_weights(self.coef_, self.intercept_)

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

    def _warn_of_nonconvergence(self, outcome, n_classes):
        """Warn when the weights are not the optimum, as far as can be told."""
        if outcome.is_cut:
            warnings.warn(
                f"The budget was spent (max_cost, after {outcome.n_iter} whole iterations and "
                f"{outcome.cost:.3g} US dollars): the model is what had been learnt by then.",
                ConvergenceWarning,
                stacklevel=3,
            )
            return
        final = outcome.history[-1]["objective"]
        if final > np.log(n_classes):
            warnings.warn(
                "Training did not find a model better than a constant: the objective is "
                f"{final:g}. Choose a smaller learning_rate, or scale the data.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif not outcome.converged and outcome.n_iter < self.max_iter:
            warnings.warn(
                "lbfgs could not lower the objective any further before the gradient had fallen "
                f"to tol={self.tol}. Raise tol, scale the data or strengthen the penalty.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif not outcome.converged:
            warnings.warn(
                f"Maximum number of iterations reached (max_iter={self.max_iter}) before training "
                "levelled off. Increase max_iter, scale the data or strengthen the penalty.",
                ConvergenceWarning,
                stacklevel=3,
            )
