"""Whole fits with backend "lambda", and the model over time: the upper end of ``lambda_ladder.py``.

While ``fit`` runs, a thread reads the weights from the server at growing distances, with the same
command that the fit itself uses at its end. It costs the fit a little (a read takes the server
about as long as some ten steps), and nobody else.
"""

import threading
import time
import warnings

import numpy as np
from ladder_driver import Course, sample_times
from sklearn.exceptions import ConvergenceWarning

from cirrus_runtime.errors import RunEnded, ServerError
from cirrus_runtime.server import ParameterServer, open_shards
from sklearn_cirrus import CirrusLogisticRegression, config_context


class ModelWatch:
    """Reads the model of the run on a server that begins next.

    Parameters
    ----------
    client : redis.Redis
        Of a server on which no other run is.
    began : float
        ``time.perf_counter()``.
    times : iterator of float
        Seconds since then at which to read the weights.
    until_first : bool
        Whether only to wait for the first update.

    Attributes
    ----------
    samples : list of (seconds, updates, weights)
    first : float or None
        Seconds until an update was seen.
    """

    def __init__(self, client, began, times=None, until_first=False):
        self._client, self._began, self._times = client, began, times
        self._until_first = until_first
        self._over = threading.Event()
        self.samples, self.first = [], None
        self._thread = threading.Thread(target=self._watch, name="model-watch")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        self._thread.join()

    def _watch(self):
        """Find the model, then read it until it is gone."""
        key = self._find()
        if key is None:
            return
        server = ParameterServer(open_shards([self._client]), key)
        try:
            self._await_first(server)
            if not self._until_first:
                self._sample(server)
        except (RunEnded, ServerError):  # the model is gone: so is the run
            pass
        finally:
            server.engine.close()

    def _find(self):
        """Wait for the key of a model."""
        while not self._over.wait(0.001):
            for key in self._client.scan_iter("cirrus:*:model", count=1000):
                return key.decode()
        return None

    def _await_first(self, server):
        """Wait for the first update."""
        while not self._over.wait(0.001):
            if server.info()["steps"]:
                self.first = time.perf_counter() - self._began
                return

    def _sample(self, server):
        """Read the weights again and again."""
        for at in self._times:
            elapsed = time.perf_counter() - self._began
            if at < elapsed:
                continue
            if self._over.wait(at - elapsed):
                return
            updates = int(server.info()["steps"])
            weights = server.dump("weights").ravel()
            self.samples.append((time.perf_counter() - self._began, updates, weights))


def fit(cloud, function, clicks, options, *, prefetch, epochs, n_workers=None, watch=True):
    """Fit whole on the emulated Lambda and return the course.

    Parameters
    ----------
    cloud : EmulatedCloud
    function : str
    clicks : Clicks
    options : Namespace
        ``batch_size``, ``rate``, ``seed``, ``workers``, ``buffer_mib``.
    prefetch : bool
    epochs : int
    n_workers : int, optional
    watch : bool
        Whether to read the model meanwhile.

    Returns
    -------
    Course
        ``stages`` has the seconds that a worker spent in each, the mean of the workers.
    """
    model = CirrusLogisticRegression(
        C=np.inf,
        solver="adagrad",
        learning_rate=options.rate,
        batch_size=options.batch_size,
        max_iter=epochs,
        tol=None,
        random_state=options.seed,
    )
    workers = n_workers or options.workers
    settings = cloud.settings(
        *(function, workers),
        prefetch=prefetch,
        buffer_bytes=int(options.buffer_mib * 2**20),
    )
    began = time.perf_counter()
    times = sample_times() if watch else iter(())
    with ModelWatch(cloud.client, began, times, until_first=not watch) as watched:
        with warnings.catch_warnings(), config_context(**settings):
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(clicks.X, clicks.y)
        seconds = time.perf_counter() - began
    history = model.history_
    updates = sum(entry["updates"] for entry in history)
    weights = np.append(model.coef_, model.intercept_).astype(np.float32)
    first, *others = history
    later = others[-1]["seconds"] - first["seconds"] if others else float("nan")
    samples = [(0.0, 0, np.zeros_like(weights)), *watched.samples, (seconds, updates, weights)]
    names = [name for name in first if name.endswith("_seconds")]
    return Course(
        samples=samples,
        updates=updates,
        gradients=updates,
        seconds=seconds,
        steady=sum(entry["updates"] for entry in others) / later,
        stages={name: sum(entry[name] for entry in history) / workers for name in names},
        first=watched.first,
        rows=len(clicks.y) * epochs / seconds,
        later_rows=len(clicks.y) * len(others) / later,
    )
