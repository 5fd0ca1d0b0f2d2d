"""A run that maps an operation over blocks or ranges of files: the client's side.

    lease every item -> collect what came out of each

An item's result follows from the job and the item alone (see ``map_job.py`` of the runtime). What a
worker that died was at is leased again; what is back counts, also when the server is lost.
"""

import json

from cirrus_runtime.protocol import Lease

from ._bar import tqdm
from ._checkpoint import Checkpoints
from ._jobs import new_job
from ._lambda_settings import complete_config
from ._outcome import CutShort
from ._place import open_place
from ._reach import check_reach
from ._trainer import Run
from .exceptions import CirrusError, RunEnded, ServerUnavailable


class MapRun(Run):
    """A run of one operation; see :class:`~sklearn_cirrus._trainer.Run`.

    Parameters
    ----------
    job : TrainJob
    items : dict of int to str
        What to lease: the number of an item, and its name.
    place : Place
    n_workers : int
    look : callable
        Called with the results so far, by number, whenever some have come; returns whether that
        is enough.
    """

    def __init__(self, job, items, place, n_workers, look):
        super().__init__(
            job, None, place, n_workers, Checkpoints(place.store, job.run_id, None, False)
        )
        self._items, self._look = items, look
        self._epoch, self._done, self._rounds = 0, {}, {}
        self.history, self.results = [], {}

    def map(self):
        """Return the result of each item, by number; some only if ``look`` said so."""
        self.crew.start(len(self._items))
        while True:
            try:
                if self._is_lost:
                    self._restore()
                self._await("train")
                return self.results
            except _Enough:
                return self.results
            except (ServerUnavailable, RunEnded) as error:
                self._reconnect(error)

    def _draw_up(self, kind):
        return [Lease(0, "map", 0, number, name) for number, name in self._items.items()]

    def _look_at(self, reports):
        new = [number for number in reports if number not in self.results]
        for number in new:
            self.results[number] = json.loads(bytes(reports[number].body))
        if new and self._look(self.results):
            raise _Enough

    def _check(self):
        self.place.board.check()

    def _fence(self, worker, generation):
        """There is nothing to refuse: workers push nothing."""

    def _remake(self):
        """Lease what has not come back."""
        this = self._round("train")
        this.waiting = list(this.missing.values())


class _Enough(Exception):
    """No more results are needed."""


def run_map(config, operation, options, items, *, seed=0, look=None, progress=None):
    """Apply an operation to items, on the workers that the settings ask for.

    Parameters
    ----------
    config : Config
    operation : str
        One that ``map_job.py`` of the runtime knows.
    options : dict
        What it must know, for JSON.
    items : dict of int to str
        Name of each item by its number.
    seed : int
    look : callable, optional
        See :class:`MapRun`.
    progress : str, optional
        What to call the progress bar; None: there is none.

    Returns
    -------
    results : dict of int to object
        By number.
    cost : float
        US dollars.

    Raises
    ------
    ConfigurationError
        If the workers cannot reach what they are to read.
    CirrusError
        If server, store or workers failed, or ``max_cost`` is spent.
    """
    if not items:
        return {}, 0.0
    config, host = complete_config(config)
    sources = options.get("view"), *options.get("sources", ())
    check_reach(config, options.get("url"), *(source and source["url"] for source in sources))
    job = new_job(
        config,
        n_features=1,
        width=1,
        intercept=False,
        batch_size=1,
        seed=seed,
        buffer_bytes=0,  # every block is read once
        cache_bytes=0,
        kind="map",
        options={"operation": operation} | options,
    )
    place = open_place(config, job.run_id, 0, host)
    n_workers = place.count_workers(config)
    with tqdm(total=len(items), desc=progress or "", unit="block", disable=progress is None) as bar:

        def watch(results):
            bar.update(len(results) - bar.n)
            return look is not None and look(results)

        with MapRun(job, items, place, n_workers, watch) as run:
            try:
                results = run.map()
            except CutShort as spent:
                raise CirrusError(
                    f"max_cost={config.max_cost} is spent, with {len(run.results)} of "
                    f"{len(items)} blocks done"
                ) from spent
    return results, place.cost
