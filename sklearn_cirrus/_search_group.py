"""From candidates of a search that can share a table to a run, and from its columns to estimators.

What candidates share: solver, batch size, intercept, number of epochs, seed, and whether the rate
is automatic. What each has of its own, in its columns: C, l1_ratio, learning_rate, class_weight;
and in its schedule: tol, n_iter_no_change.

A fit on a split sees the rows of all splits pass by, and trains on its own. So that its steps are
those of a fit on these rows alone, minibatches are larger by the share of the rows that a split
leaves out, and the weights of the rows that it trains on are one on average over all rows.
"""

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from cirrus_runtime.model_spec import MAX_WIDTH, SLOTS, ModelSpec
from cirrus_runtime.schedule import Schedule

from ._columns import Columns
from ._dataset import Dataset
from ._dataset.moments import take_columns
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._logistic_parameters import check_parameters
from ._logistic_state import weights_of_user
from ._open_run import open_run
from ._rates import BETA1, BETA2, automatic_batch_size, choose_rates
from ._search_fits import Fit, Fits
from ._search_run import SearchRun


class SearchGroup:
    """One table of candidates.

    Parameters
    ----------
    params : CirrusLogisticRegression
        One of the candidates, for what they share; its ``verbose`` is that of the search.
    data : SearchData
    """

    one_pass = False
    takes_checkpoints = True
    shared = ("solver", "batch_size", "fit_intercept", "max_iter", "random_state")
    exact_solver = "lbfgs"
    check_parameters = staticmethod(check_parameters)

    @classmethod
    def takes(cls, params):
        """Return whether a candidate can be trained in a table with others."""
        try:
            cls.check_parameters(params)
        except (ValueError, TypeError):
            return False  # its fit says what is wrong
        alone = params.solver == cls.exact_solver or params.early_stopping or params.warm_start
        return not alone

    @classmethod
    def key(cls, params):
        """Return what candidates must have in common to be trained in one table."""
        shared = tuple(repr(getattr(params, name)) for name in cls.shared)
        return *shared, params.learning_rate == "auto"

    @staticmethod
    def may_join(params):
        """Return whether a candidate may be added to a table that has been trained already.

        FTRL's L1 threshold counts the steps of the table, not those of a column.
        """
        return params.solver != "ftrl"

    def __init__(self, params, data):
        config = self.settings(params)
        if config.resume is not None:
            raise ValueError("a search cannot be resumed: only the fit of one estimator can")
        self.params = params
        self.config, self.host = complete_config(config)
        data.check(self.config)
        self.data = data
        self.X = data.X
        self.n_workers = self.config.n_workers
        self.seed = int(check_random_state(params.random_state).randint(2**31 - 1))
        self.cost = 0.0
        self._choose_steps()

    @staticmethod
    def settings(params):
        """Return the settings of a candidate's fit."""
        return params._settings()

    def _choose_steps(self):
        """Choose the size of minibatches, and the learning rate."""
        params, data = self.params, self.data
        self.classes = 1 if len(data.classes) == 2 else len(data.classes)
        self.columns = Columns.of(data.X, params.fit_intercept)
        n = data.n_rows
        n_train = np.mean([len(train) for train, _ in data.splits])
        size = params.batch_size
        size = automatic_batch_size(int(n_train)) if size == "auto" else min(int(size), n_train)
        self.batch_size = min(n, max(1, round(size * n / n_train)))
        self.rates = choose_rates(
            *(params.solver, params.learning_rate, data.X, self.columns, int(size), self.seed),
            streaming=False,
        )

    @property
    def rows(self):
        """Rows of the table."""
        return self.X.shape[1] + bool(self.params.fit_intercept)

    def size(self, params):
        """Return the columns of a candidate in each of its splits."""
        return self.classes

    def room(self, nbytes):
        """Return the columns that a table of this size has for each split."""
        floats = self.rows * len(SLOTS[self.params.solver]) * len(self.data.splits)
        return min(int(nbytes // (4 * floats)), MAX_WIDTH // len(self.data.splits))

    def fits(self, candidate, params):
        """Return the fits of a candidate."""
        learning_rate = params.learning_rate
        is_auto = learning_rate == "auto"
        fits = []
        for split, (_, test) in enumerate(self.data.splits):
            of_class, total = self.data.row_weights(params, split)
            strength = 1.0 / (float(params.C) * total)
            schedule = Schedule(
                rate=float(self.rates.rate if is_auto else learning_rate),
                adaptive=is_auto,
                max_iter=int(params.max_iter),
                tol=None if params.tol is None else float(params.tol),
                patience=int(params.n_iter_no_change),
                falling=bool(self.rates.power_t > 0.5),
            )
            class_weights = of_class * (self.data.n_rows / total)
            fits.append(
                Fit(
                    *(candidate, split, schedule, self.classes),
                    trained=self.data.n_rows,
                    l1=float(params.l1_ratio) * strength,
                    l2=(1 - float(params.l1_ratio)) * strength,
                    class_weights=class_weights.tolist(),
                    tests=len(test),
                )
            )
        return fits

    def run(self, fits, watch, spent=0.0):
        """Train fits, and those that come while they are trained.

        Parameters
        ----------
        fits : list of Fit
        watch : object
            As of ``SearchRun``.
        spent : float
            US dollars that the search has cost before.

        Returns
        -------
        list of dict
            The history.
        """
        n, nbytes = self.data.n_rows, self.data.nbytes
        table = self._table(fits)
        job, spec = self._job(), self._spec(table)

        def make(*rest):
            return SearchRun(job, spec, table, self.rates.squares, watch, *rest)

        with open_run(self, job, make, n, nbytes, label="CirrusSearchCV", spent=spent) as run:
            run.create_table(self._slots())
            bounds = self.n_workers, self.config.block_bytes
            run.search(self.data.part(self.seed, *bounds, self.columns))
        self.cost = run.place.cost
        return run.history

    def fill(self, estimator, fit, table, X):
        """Make the estimator of a fit, which has its parameters, one that was fitted on X."""
        if isinstance(X, Dataset):
            take_columns(estimator, X)
        else:
            validate_data(estimator, X, y="no_validation", skip_check_array=True)
        estimator.coef_, estimator.intercept_ = weights_of_user(
            table, self.columns, estimator.fit_intercept, estimator.l1_ratio
        )
        estimator.classes_ = self.data.classes

    def _table(self, fits):
        """Return the fits of the table."""
        return Fits(fits, len(self.data.splits))

    def _slots(self):
        """Return the slots that all fits share."""
        if self.columns.scale is None:
            return {}
        ones = np.ones(int(self.params.fit_intercept), np.float32)
        return {"scale": np.append(self.columns.scale, ones)}

    def _job(self):
        """Return the job of the workers, without the places where it runs."""
        return self._make_job(
            n_features=self.X.shape[1],
            width=self.classes,
            intercept=bool(self.params.fit_intercept),
            kind="search",
            options=self.data.options(self.columns),
        )

    def _make_job(self, **more):
        """Return a job with the settings of the search."""
        config = self.config
        return new_job(
            config,
            batch_size=self.batch_size,
            seed=self.seed,
            **more,
        )

    def _spec(self, table):
        """Return the specification of the table."""
        return ModelSpec(
            rows=self.rows,
            width=table.width,
            optimizer=self.params.solver,
            penalized=self.X.shape[1],
            beta1=BETA1,
            beta2=BETA2,
            eps=self.rates.eps,
            power_t=self.rates.power_t,
            scaled=self.columns.scale is not None,
            varied=True,
        )
