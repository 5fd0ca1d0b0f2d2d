"""Opens a run for a fit: its place, its checkpoints, its progress bar and its journal."""

from ._checkpoint import Checkpoints
from ._ingest import row_bytes
from ._journal import journal_folder
from ._place import open_place
from ._progress import Progress
from ._run_journal import RunJournal


class open_run:  # noqa: N801 (reads as a function where it is used)
    """A Run with its place, its progress bar and its journal; leaving it closes them.

    ``make(place, n_workers, checkpoints, progress)`` makes the Run. ``nbytes`` is about what the
    blocks take that are put; None: as much as the fit's ``X``. The bar names ``label``, or the
    class of the estimator, and counts the US dollars that were ``spent`` before this run.
    """

    def __init__(self, fit, job, make, n_rows, nbytes=None, *, label=None, spent=0.0):
        params, config = fit.params, fit.config
        if config.dashboard:
            from .dashboard import start_shared  # late: the extra `dashboard`

            start_shared(journal_folder(config.journal))
        if nbytes is None:
            nbytes = row_bytes(fit.X) * fit.X.shape[0]
        place = open_place(config, job.run_id, nbytes, fit.host)
        fit.n_workers = place.count_workers(config)
        max_iter = 1 if fit.one_pass else params.max_iter
        label = label or type(params).__name__
        self._progress = Progress(
            *(params.verbose, n_rows, max_iter, label), cost=lambda: spent + place.cost
        )
        seconds = config.checkpoint_seconds
        # Backend inline has no server to lose, and its store goes with the process.
        if config.backend == "inline" or not fit.takes_checkpoints:
            seconds = None
        # A fit that goes on and fails leaves what it has found, to be gone on with once more.
        keep = config.keep_checkpoint or config.resume is not None
        checkpoints = Checkpoints(place.store, job.run_id, seconds, keep)
        self._journal = RunJournal(fit, job.run_id, n_rows, nbytes)
        self._run = make(place, fit.n_workers, checkpoints, self._tell)

    def _tell(self, rows, entry):
        """Take note of the rows done in the running epoch, or of an epoch's history entry."""
        self._progress(rows, entry)
        self._journal(rows, entry)

    def __enter__(self):
        self._progress.__enter__()
        try:
            self._journal.begin(self._run)
            return self._run.__enter__()
        except BaseException as error:
            self._close(error)
            raise

    def __exit__(self, kind, error, trace):
        try:
            self._run.__exit__(kind, error, trace)
        finally:
            self._close(error)

    def _close(self, error):
        """Close the bar and the journal."""
        self._progress.__exit__(type(error), error, None)
        self._journal.end(error)
