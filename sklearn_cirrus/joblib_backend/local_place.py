"""Tasks on worker processes of this machine."""

import joblib

from cirrus_runtime.keys import RunKeys
from cirrus_runtime.store import open_store

from .._scratch import scratch_folder
from ..workers.local import LocalBackend, task_pool
from .task_place import TaskPlace


class LocalPlace(TaskPlace):
    """Processes of the pool for tasks, and a folder.

    Parameters
    ----------
    config : Config
    run_id : str
    key : bytes
    n_jobs : int
    threads : int or None
        How many threads a task's libraries may use. None: its share of the cores.
    folder : str or None
        For the objects of the run, in place of the store of the configuration.
    """

    def __init__(self, config, run_id, key, n_jobs, *, threads=None, folder=None):
        self._keys = RunKeys(run_id)
        self._key = key.hex()
        self._n_jobs = n_jobs
        threads = threads or max(1, joblib.cpu_count() // n_jobs)
        # Workers are started with one thread. To ask for it again takes milliseconds each time.
        self._threads = None if threads == 1 else threads
        url = f"file://{folder or scratch_folder()}"
        if folder is None and config.store_url is not None:
            url = config.store_url
        self.store = open_store(url)
        self._pool = task_pool()
        self._pool.reserve(n_jobs)
        self.backend = LocalBackend(self._pool)

    is_this_machine = True

    @staticmethod
    def count_jobs(config, n_jobs):
        if n_jobs < 0:
            return max(joblib.cpu_count() + 1 + n_jobs, 1)
        return n_jobs

    def complete(self, job):
        return job | {
            "store_url": self.store.url,
            "key": self._key,
            "threads": self._threads,
            "deadline": None,
        }

    def close(self):
        try:
            self.backend.close()
        finally:
            self._pool.unreserve(self._n_jobs)
            try:
                self.store.delete_prefix(self._keys.prefix)
            finally:
                self.store.close()
