"""The stages of a pipeline from a raw log to an evaluated model, each with its time and memory.

A stage's memory is the peak of resident memory of this process and of its largest worker while the
stage lasts, from /proc: workers are processes of this machine for backend "local" and for the
emulated Lambda alike. That of a client includes what it held before. The address space of workers
can be limited, which bounds all that they map, be it resident or not: beyond it they get no memory.
"""

import contextlib
import resource
import threading
import time
from pathlib import Path

import psutil
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from sklearn_cirrus import CirrusFeatureHasher, CirrusLogisticRegression, Dataset
from sklearn_cirrus.datasets import write_criteo

MB = 1e6
_WORKERS = ("cirrus_runtime.process", "awslambdaric", "_bootstrap")
_LOOK_SECONDS = 0.05


class Stages:
    """What each stage took.

    Attributes
    ----------
    told : dict of str to dict
        ``seconds``, ``client_peak_mb``, ``client_rise_mb``, ``worker_peak_mb``, ``worker_rise_mb``
        (of those that were there before the stage: from its beginning) and more, by stage.

    Parameters
    ----------
    limit : int or None
        Bytes of address space that each worker may have from when it is seen on.
    """

    def __init__(self, limit=None):
        self.told, self._limit = {}, limit

    @contextlib.contextmanager
    def stage(self, name, n_rows=None):
        """Measure what is inside as a stage; yields the dict of what is told of it."""
        told = self.told[name] = {}
        before = _memory("self", "VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        start = time.perf_counter()
        with _Workers(self._limit) as workers:
            yield told
        told["seconds"] = time.perf_counter() - start
        if n_rows:
            told["rows_per_second"] = n_rows / told["seconds"]
        peak = _memory("self", "VmHWM")
        told |= {"client_peak_mb": peak / MB, "client_rise_mb": (peak - before) / MB}
        told["worker_peak_mb"] = workers.peak / MB
        told["worker_rise_mb"] = workers.rise / MB
        told["n_workers"] = len(workers.pids)
        told["worker_peaks_mb"] = [peak / MB for peak in workers.peaks.values()]
        self.told[name] = told


class _Workers:
    """Looks for worker processes below this one, and for their peaks, on a thread."""

    def __init__(self, limit):
        self.pids, self.peaks, self.peak, self.rise = {}, {}, 0, 0
        self._limit = limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peaks", daemon=True)

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self):
        while not self._stop.wait(_LOOK_SECONDS):
            self._look()

    def _look(self):
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid not in self.pids:
                    line = " ".join(process.cmdline())
                    if not any(word in line for word in _WORKERS):
                        continue
                    self.pids[process.pid] = _memory(process.pid, "VmRSS")
                    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
                    if self._limit:
                        limits = self._limit, self._limit
                        resource.prlimit(process.pid, resource.RLIMIT_AS, limits)
                peak = _memory(process.pid, "VmHWM")
                self.peaks[process.pid] = peak
                self.peak = max(self.peak, peak)
                self.rise = max(self.rise, peak - self.pids[process.pid])


def _memory(pid, name):
    """Return a line of a process's status in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next((int(x.split()[1]) for x in lines if x.startswith(f"{name}:")), 0)


def run_pipeline(path, url, options, put=None):
    """Write, load, hash, train and evaluate; return what each stage took, and how good it got.

    Parameters
    ----------
    path : Path
        Where the log is written.
    url : str
        Of the dataset.
    options : Namespace
        ``rows``, ``epochs``, ``C``, ``bits``, ``seed``, ``worker_mib``.
    put : callable, optional
        Puts the log where workers find it, and returns its url; by default they read ``path``.
    """
    stages, n = Stages(options.worker_mib and options.worker_mib << 20), options.rows
    start = time.perf_counter()
    with stages.stage("write", n) as told:
        write_criteo(path, n, random_state=options.seed)
        told["mb"] = path.stat().st_size / MB
    source = path
    if put is not None:
        with stages.stage("upload", n):
            source = put(path)
    with stages.stage("load", n) as told:
        data = Dataset.from_criteo(source, url=url)
        told |= {"blocks": data.n_blocks, "mb": data.nbytes / MB, "cost": data.cost}
    with stages.stage("split"):
        hasher = CirrusFeatureHasher(2**options.bits, numbers="buckets", alternate_sign=False)
        train, held_out = train_test_split(hasher.transform(data), random_state=0, test_size=0.1)
    model = CirrusLogisticRegression(C=options.C, max_iter=options.epochs, tol=None, random_state=0)
    with stages.stage("train", len(train) * options.epochs) as told:
        model.fit(train)
        told["cost"] = model.cost_
        told["epochs"] = [
            {name: epoch[name] for name in ("seconds", "load_seconds", "wait_seconds")
             if name in epoch} for epoch in model.history_
        ]  # fmt: skip
    with stages.stage("evaluate", len(held_out)):
        chances, y = model.predict_proba(held_out)[:, 1], held_out.y
    seconds = time.perf_counter() - start
    return {
        "rows": n,
        "seconds": seconds,
        "seconds_without_writing": seconds - stages.told["write"]["seconds"],
        "client_peak_mb": max(told["client_peak_mb"] for told in stages.told.values()),
        "worker_peak_mb": max(told["worker_peak_mb"] for told in stages.told.values()),
        "stages": stages.told,
        "log_loss": log_loss(y, chances),
        "auc": roc_auc_score(y, chances),
        "constant_log_loss": log_loss(y, [y.mean()] * len(y)),
    }
