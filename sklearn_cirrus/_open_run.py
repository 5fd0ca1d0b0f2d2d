"""Opens a run for a fit: its place, its checkpoints and its progress bar."""

from ._checkpoint import Checkpoints
from ._ingest import row_bytes
from ._place import open_place
from ._progress import Progress


class open_run:  # noqa: N801 (reads as a function where it is used)
    """A Run with its place and its progress bar; leaving it closes both.

    ``make(place, n_workers, checkpoints, progress)`` makes the Run. ``nbytes`` is about what the
    blocks take that are put; None: as much as the fit's ``X``.
    """

    def __init__(self, fit, job, make, n_rows, nbytes=None):
        params, config = fit.params, fit.config
        if nbytes is None:
            nbytes = row_bytes(fit.X) * fit.X.shape[0]
        place = open_place(config, job.run_id, nbytes, fit.host)
        fit.n_workers = place.count_workers(config)
        max_iter = 1 if fit.one_pass else params.max_iter
        self._progress = Progress(params.verbose, n_rows, max_iter, type(params).__name__)
        seconds = config.checkpoint_seconds
        # Backend inline has no server to lose, and its store goes with the process.
        if config.backend == "inline" or not fit.takes_checkpoints:
            seconds = None
        # A fit that goes on and fails leaves what it has found, to be gone on with once more.
        keep = config.keep_checkpoint or config.resume is not None
        checkpoints = Checkpoints(place.store, job.run_id, seconds, keep)
        self._run = make(place, fit.n_workers, checkpoints, self._progress)

    def __enter__(self):
        self._progress.__enter__()
        try:
            return self._run.__enter__()
        except BaseException as error:
            self._progress.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(self, *exc_info):
        try:
            self._run.__exit__(*exc_info)
        finally:
            self._progress.__exit__(*exc_info)
