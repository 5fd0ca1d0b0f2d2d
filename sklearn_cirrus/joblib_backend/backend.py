"""What joblib knows of backend "cirrus"."""

import os
from functools import partial

import joblib
from joblib.parallel import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    ThreadingBackend,
)

from cirrus_runtime.task_format import TASK_VARIABLE

from .._stages import stage
from ..config import get_config
from ..exceptions import ConfigurationError
from .call_journal import CallJournal
from .dispatcher import Dispatcher
from .options import Options
from .run import TaskRun

_ALL = 1 << 62  # bytes: no array is as large


class CirrusBackend(AutoBatchingMixin, ParallelBackendBase):
    """Runs the calls of ``joblib.Parallel`` on workers; made by joblib for its name "cirrus".

    Arrays go to the workers once for each Parallel call (or ``with Parallel()`` block, as in
    GridSearchCV), however many calls have them in their arguments. Those of ``max_nbytes`` (1 MiB)
    or more are shared and read-only, smaller ones are the call's own.

    ``prefer="threads"`` runs in threads of this process. A call of Parallel inside a task runs in
    threads of the worker if ``n_jobs`` is passed there, else sequentially; a Cirrus estimator
    inside a task is fitted by the worker alone, whatever its ``backend``.

    Parameters
    ----------
    nesting_level : int or None, default=None
        Of joblib.
    inner_max_num_threads : int or None, default=None
        Threads that a library may use inside a task; None: as joblib decides.
    where : {None, "local", "lambda", "inline"}, default=None
        ``"local"``: worker processes of this machine. ``"lambda"``: AWS Lambda. ``"inline"``: one
        after the other, here. None: the ``backend`` of the configuration.
    retries : int, default=2
        How often a task is run again whose worker has ended under it (killed, crashed, lost; out
        of memory: once). A task may then run more than once: it should not do anything that must
        happen once only. What a task raises is not retried.
    task_timeout : float or None, default=None
        Seconds that a task (a batch of calls) may take; one that takes longer is ended, and
        Parallel raises TimeoutError. joblib's own ``timeout`` counts from when the result is
        waited for.
    speculate : bool or "auto", default="auto"
        Whether a task that runs for 4 times as long as the median (and longer than 2 s) is started
        on a second worker, if one is free; the first result counts. ``"auto"``: on AWS Lambda.

    Raises
    ------
    ConfigurationError
        An option has a value that it cannot have.

    Examples
    --------
    >>> import joblib
    >>> import sklearn_cirrus
    >>> with joblib.parallel_config("cirrus", where="inline"):
    ...     joblib.Parallel()(joblib.delayed(len)(word) for word in ("ab", "c"))
    [2, 1]
    >>> with joblib.parallel_config("cirrus", retries=-1):
    ...     joblib.Parallel()(joblib.delayed(len)(word) for word in ("ab", "c"))
    Traceback (most recent call last):
        ...
    sklearn_cirrus.exceptions.ConfigurationError: retries must be an integer from 0 to 100, ...
    """

    default_n_jobs = -1
    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    uses_threads = False
    supports_sharedmem = False

    def __init__(
        self,
        nesting_level=None,
        inner_max_num_threads=None,
        *,
        where=None,
        retries=2,
        task_timeout=None,
        speculate="auto",
    ):
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._options = Options(where, retries, task_timeout, speculate)
        self._dispatcher = None
        self._make_dispatcher = None

    def configure(
        self,
        n_jobs=1,
        parallel=None,
        prefer=None,
        require=None,
        *,
        max_nbytes=1 << 20,
        mmap_mode="r",
        temp_folder=None,
        context=None,
        verbose=0,
        **options,
    ):
        """Make ready for a Parallel call; nothing is started before its first task.

        Raises
        ------
        FallbackToBackend
            The call is one for threads, or for no other worker at all.
        ConfigurationError
        """
        options = self._options.changed(options)
        with stage("tuning"):
            config = get_config(backend=options.where)
        if prefer == "threads" or require == "sharedmem":
            threads = _CappedThreads if config.backend == "lambda" else ThreadingBackend
            raise FallbackToBackend(threads(nesting_level=self.nesting_level))
        n_jobs = self._count(n_jobs, config)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        if mmap_mode not in (None, "r", "c"):
            raise ConfigurationError(
                f"backend 'cirrus' has mmap_mode 'r', 'c' or None, not {mmap_mode!r}: what a task "
                "writes to its arrays does not come back"
            )
        shares = max_nbytes is not None and mmap_mode == "r"
        self.parallel = parallel
        if options.speculate == "auto":
            options = options.changed({"speculate": config.backend == "lambda"})
        if config.backend == "lambda":
            from .lambda_place import LambdaPlace

            place = partial(
                LambdaPlace,
                threads=self.inner_max_num_threads,
                deadline=options.task_timeout,
            )
        else:
            from .local_place import LocalPlace

            place = partial(LocalPlace, threads=self.inner_max_num_threads, folder=temp_folder)
        open_place = partial(_open_place, place, config, n_jobs)
        journal = partial(CallJournal, config, n_jobs, options, parallel)
        open_run = partial(TaskRun, open_place, max_nbytes if shares else _ALL, n_jobs, journal)
        self._make_dispatcher = partial(Dispatcher, open_run, n_jobs, options)
        return n_jobs

    def effective_n_jobs(self, n_jobs):
        """Return how many tasks run at the same time.

        Parameters
        ----------
        n_jobs : int or None
            None or negative: as many as there are cores (``-2``: one less, ...), or as may run on
            AWS Lambda.

        Raises
        ------
        ValueError
            It is 0, or more than AWS Lambda runs at the same time.
        """
        with stage("tuning"):
            return self._count(n_jobs, get_config(backend=self._options.where))

    def _count(self, n_jobs, config):
        """Return the number of jobs under a configuration."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            n_jobs = self.default_n_jobs
        if n_jobs == 1 or config.backend == "inline" or TASK_VARIABLE in os.environ:
            return 1
        if config.backend == "lambda":
            from .lambda_place import LambdaPlace as Place
        else:
            from .local_place import LocalPlace as Place
        return Place.count_jobs(config, n_jobs)

    def submit(self, func, callback=None):
        """Take a batch of calls.

        Returns
        -------
        Task
        """
        if self._dispatcher is None:
            self._dispatcher = self._make_dispatcher()
        return self._dispatcher.submit(func, callback)

    def retrieve_result_callback(self, out):
        """Return the results of a batch, or raise what it has raised."""
        return out.result()

    def abort_everything(self, ensure_ready=True):
        """Cancel what waits and end what runs; the backend takes new tasks afterwards."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()

    def terminate(self):
        """End the run; the worker processes stay for the next one.

        If this backend object serves another Parallel call that goes on (a generator that is not
        at its end), the run goes on for it.
        """
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.is_busy:
            self._dispatcher = None
            dispatcher.close()
        self.reset_batch_stats()

    def __getstate__(self):
        """Leave out what belongs to this process."""
        return self.__dict__ | {"_dispatcher": None, "_make_dispatcher": None, "parallel": None}


class _CappedThreads(ThreadingBackend):
    """Threads here, for calls that ask for threads: not as many as AWS Lambda has workers."""

    def effective_n_jobs(self, n_jobs):
        return min(super().effective_n_jobs(n_jobs), joblib.cpu_count())


def _open_place(place, config, n_jobs, run_id, key):
    """Open a place for a run."""
    return place(config, run_id, key, n_jobs)
