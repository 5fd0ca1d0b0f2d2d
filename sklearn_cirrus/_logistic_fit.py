"""From an estimator's parameters and validated data to a run, and from its outcome to weights."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from cirrus_runtime.schedule import Schedule
from cirrus_runtime.server import ModelSpec

from ._columns import Columns
from ._convergence import look_for_better
from ._ingest import Blocks, Part, count_blocks
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._logistic_state import LogisticOutcome, LogisticState, weights_of_user
from ._open_run import open_run
from ._rates import BETA1, BETA2, automatic_batch_size, choose_rates, streaming_rate
from ._resume import check_identity, identity_of, read_resumed
from ._trainer import Run, new_run_id


class LogisticFit:
    """One fit of logistic regression.

    Parameters
    ----------
    params : CirrusLogisticRegression
        Whose parameters have been checked.
    config : Config
    X : CSR matrix or array of shape (n_samples, n_features)
    labels : int array of shape (n_samples,)
        Class indices.
    weights : float64 array of shape (n_samples,) or None
    n_classes : int
    one_pass : bool
        ``partial_fit``: one epoch at a constant rate.
    """

    takes_checkpoints = True
    sees_all_rows = True  # in this process
    nbytes = None  # of the blocks that are put: as many as X has

    def __init__(self, params, config, X, labels, weights, n_classes, *, one_pass=False):
        self.params = params
        config, self.host = complete_config(config)
        self.config = config
        self.X = X
        self.labels = labels.astype(np.float32)
        self.weights = weights
        self.width = 1 if n_classes == 2 else n_classes
        self.one_pass = one_pass
        self._known = None
        self.seed = int(check_random_state(params.random_state).randint(2**31 - 1))
        self.n_workers = config.n_workers
        if config.resume is not None and one_pass:
            raise ValueError("partial_fit cannot be resumed: only fit can")
        self.resumed = read_resumed(config)
        if self.resumed is not None and params.random_state is None:
            self.seed = int(self.resumed.identity["seed"])

    def run(self, start):
        """Train.

        Parameters
        ----------
        start : LogisticState or None
            To go on from.

        Returns
        -------
        LogisticOutcome
        """
        params, X = self.params, self.X
        train_rows, valid_rows = self._split()
        if self.weights is not None and not self.weights[train_rows].any():
            raise ValueError("The sample weights of the rows to train on are all zero.")
        seen = len(train_rows)
        goes_on = start is not None and start.solver is not None
        if self.one_pass and start is not None:
            seen += start.seen
        columns = start.columns if goes_on else Columns.of(X, params.fit_intercept)
        batch_size = params.batch_size
        if batch_size == "auto":
            batch_size = automatic_batch_size(len(train_rows))
        batch_size = min(int(batch_size), len(train_rows))
        rates = start.rates if goes_on else None
        if rates is None:
            rates = choose_rates(
                *(params.solver, params.learning_rate, X, columns, batch_size, self.seed),
                streaming=self.one_pass,
            )
        elif params.learning_rate != "auto":
            rates = replace(rates, rate=float(params.learning_rate))
        job = self._job(batch_size, self._options(train_rows, valid_rows, columns))
        schedule = self._schedule(rates, start.clock[0] if goes_on and start.clock else 0)
        spec = self._spec(columns, rates, train_rows, seen)
        if self.resumed is not None:
            identity = self._identity(self.resumed.identity["n_blocks"])
            check_identity(self.resumed.identity, identity, self.config.resume)

        def make(*rest):
            return Run(job, spec, *rest)

        with open_run(self, job, make, len(train_rows), self.nbytes) as run:
            n_blocks = self._n_blocks(train_rows, valid_rows)
            if self.resumed is None:
                run.create(self._slots(start, columns, rates), start.clock if goes_on else None)
            else:
                run.resume(self.resumed)
            parts = self._shared_parts(run, (train_rows, valid_rows), n_blocks, columns) or [
                self._part(train_rows, n_blocks[0], columns),
                self._part(valid_rows, n_blocks[1], columns) if len(valid_rows) else None,
            ]
            outcome = run.train(
                *parts,
                *(schedule, params.early_stopping, lambda: self._identity(n_blocks)),
            )
        table = outcome.slots["weights"]
        coef, intercept = weights_of_user(table, columns, params.fit_intercept, params.l1_ratio)
        state = LogisticState(
            *(outcome.slots, params.solver, params.fit_intercept),
            *(columns, rates, outcome.clock, seen),
        )
        converged, gain = look_for_better(self, schedule, spec, columns, outcome)
        return LogisticOutcome(
            *(coef, intercept, outcome.history, converged, state, len(outcome.history), gain),
            *(run.place.cost, outcome.cut),
        )

    def _split(self):
        """Return the rows to train on, in random order, and those held out."""
        n = self.X.shape[0]
        # Workers shuffle each block by the seed. Which rows it has can be the same for all fits
        # that differ by chance alone: then they may share it.
        order = 0 if self.params.random_state is None else self.seed
        rows = np.random.default_rng(order).permutation(n).astype(np.int64, copy=False)
        return self._hold_out(rows)

    def _hold_out(self, rows):
        """Return rows to train on and those held out, if any are to be."""
        if not self.params.early_stopping or self.one_pass:
            return rows, rows[:0]
        return train_test_split(
            rows,
            test_size=float(self.params.validation_fraction),
            random_state=self.seed,
            stratify=self.labels[rows],
        )

    def _n_blocks(self, *parts):
        """Return into how many blocks the rows of each part are cut."""
        if self.resumed is not None:
            return self.resumed.identity["n_blocks"]
        bounds = self.n_workers, self.config.block_bytes
        return [count_blocks(self.X, len(rows), *bounds) if len(rows) else 0 for rows in parts]

    def _identity(self, n_blocks):
        """Return what tells this fit from others; the data are read at the first call."""
        if self._known is None:
            data = self.X, self.labels, self.weights
            self._known = identity_of(self.params, *data, self.seed, n_blocks)
        return self._known

    def _part(self, rows, n_blocks, columns):
        """Return a part of the data: its blocks are made when the trainer asks for them."""
        weights = self.weights
        if weights is not None and not self.one_pass:
            weights = weights / weights[rows].mean()  # so that a step has the size of a mean row's
        weights = None if weights is None else weights.astype(np.float32)
        blocks = Blocks(self.X, self.labels, weights, rows, n_blocks, columns.center)
        return Part(blocks, n_blocks, len(rows))

    def _shared_parts(self, run, rows, n_blocks, columns):
        """Return the parts of the data as selections of blocks that other fits use as well.

        Return None where that is not to be. Small data costs little to put, and is trained
        the same way every time if its blocks are. So is what another process may go on with.
        """
        config = self.config
        is_alone = self.n_workers == 1 or n_blocks[0] == 1 or self.one_pass
        if is_alone or config.keep_checkpoint or config.resume is not None or not run.place.shares:
            return None
        from ._shared_rows import GivenRows, SharedRows  # late: few fits are on threads

        given = GivenRows(self.X, self.labels, self.weights, max(2, self.width), columns)
        named = [("train", rows[0], n_blocks[0]), ("valid", rows[1], n_blocks[1])]
        named = [(name, these, n) for name, these, n in named if n]
        _, these, numbers = zip(*named, strict=True)
        shared = run.place.keep(SharedRows(run.place.store.url, given, these, numbers))
        parts, options = [None, None], {}
        for i, (name, these, _) in enumerate(named):
            parts[i], options[name] = shared.part(these)
            n_blocks[i] = parts[i].n_blocks
        run.tell_workers({"parts": options})
        return parts

    def _options(self, train_rows, valid_rows, columns):
        """Return what the job's kernel must know besides."""
        return {}

    def _job(self, batch_size, options):
        """Return the job of the workers, without the places where it runs."""
        config = self.config
        return new_job(
            config,
            run_id=config.resume or new_run_id(),
            n_features=self.X.shape[1],
            width=self.width,
            intercept=bool(self.params.fit_intercept),
            batch_size=batch_size,
            seed=self.seed,
            options=options,
        )

    def _schedule(self, rates, steps):
        """Return the schedule of the learning rate of a model that has seen some steps."""
        params = self.params
        rate = rates.rate
        if self.one_pass and params.learning_rate == "auto":
            rate = streaming_rate(params.solver, rate, steps)
        return Schedule(
            rate=float(rate),
            adaptive=params.learning_rate == "auto",
            max_iter=1 if self.one_pass else int(params.max_iter),
            tol=None if params.tol is None else float(params.tol),
            patience=int(params.n_iter_no_change),
            falling=bool(rates.power_t > 0.5),
            constant=self.one_pass,
        )

    def _spec(self, columns, rates, train_rows, seen):
        """Return the specification of the model, with the penalty beside the mean loss of a row.

        ``fit`` divides the row weights by their mean, so the penalty is divided by it as well.
        """
        params = self.params
        strength = 1.0 / (float(params.C) * seen)
        if self.weights is not None and not self.one_pass:
            strength /= self.weights[train_rows].mean()
        return ModelSpec(
            rows=self.X.shape[1] + bool(params.fit_intercept),
            width=self.width,
            optimizer=params.solver,
            penalized=self.X.shape[1],
            l1=params.l1_ratio * strength,
            l2=(1 - params.l1_ratio) * strength,
            beta1=BETA1,
            beta2=BETA2,
            eps=rates.eps,
            power_t=rates.power_t,
            scaled=columns.scale is not None,
        )

    def _slots(self, start, columns, rates):
        """Return the slots to begin with."""
        slots = {}
        if columns.scale is not None:
            ones = np.ones(int(self.params.fit_intercept), np.float32)
            slots["scale"] = np.append(columns.scale, ones)
        if start is not None and start.solver is not None:
            return start.slots | slots
        if rates.squares:
            slots["squares"] = float(rates.squares)
        if start is None:
            return slots
        weights = start.slots["weights"].astype(np.float64)
        if not self.params.fit_intercept:
            weights = weights[:-1]
        elif columns.center is not None:
            weights[-1] += columns.center @ weights[:-1]
        return slots | {"weights": weights.astype(np.float32)}
