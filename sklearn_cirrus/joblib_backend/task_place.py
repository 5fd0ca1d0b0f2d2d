"""Where the tasks of a run take place: what the dispatcher knows of workers and store."""

from abc import ABC, abstractmethod


class TaskPlace(ABC):
    """Workers, and the store that they share with this process.

    Opened when a run has its first task, closed once, both by the dispatcher's thread.

    Attributes
    ----------
    backend : WorkerBackend
    store : Store
    is_this_machine : bool
        Whether workers reach the sockets of this process.
    """

    backend = None
    store = None
    is_this_machine = False
    dollars = 0.0  # what the run has cost so far

    @staticmethod
    @abstractmethod
    def count_jobs(config, n_jobs):
        """Return how many tasks run at the same time if the user asks for ``n_jobs``.

        Parameters
        ----------
        config : Config
        n_jobs : int
            Negative: all that there may be.

        Returns
        -------
        int

        Raises
        ------
        ConfigurationError
            There cannot be so many.
        """

    @abstractmethod
    def complete(self, job):
        """Return a job with what is the place's to say: ``store_url``, ``key`` and ``threads``."""

    @abstractmethod
    def close(self):
        """End jobs that still run; remove the objects of the run; close the store."""
