"""A batch of calls that joblib has submitted, and the attempts to run it."""

import time

from ..exceptions import WorkerError

_KILLED = (
    "\nIf nobody has killed it, this machine ran out of memory: lower n_jobs, or give each task "
    "less data"
)


class Task:
    """What ``submit`` returns, and what joblib hands back to have its result.

    Parameters
    ----------
    number : int
        In its run.
    call : callable
        Without parameters. joblib's has a length: the number of calls in it.
    callback : callable or None
        Called with the task when it is done: once, however it ends.

    Attributes
    ----------
    number, size : int
    call : callable or None
        None once it is packed.
    job : dict or None
        What a worker gets; None before it is packed, and in the end.
    attempts, losses : int
        How many were started, and how many ended with their worker.
    running : list of Attempt
    is_done : bool
    """

    def __init__(self, number, call, callback):
        self.number = number
        self.size = len(call) if hasattr(call, "__len__") else 1
        self.call = call
        self.job = None
        self.attempts = self.losses = 0
        self.running = []
        self.is_done = False
        self._callback = callback
        self._outcome = None

    def finish(self, outcome):
        """Set how the task ended, and call back; a second time does nothing.

        Parameters
        ----------
        outcome : Outcome
        """
        if self.is_done:
            return
        self.is_done = True
        self._outcome = outcome
        self.call = self.job = None
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(self)

    def loss(self, result):
        """Return the error for a task that was lost too often, the last time with this result."""
        is_killed = result.error_type != "OutOfMemory" and result.exit_code == -9
        return WorkerError(
            f"task {self.number} was lost {self.losses} times: {result.error}"
            + (_KILLED if is_killed else "")
        )

    def result(self):
        """Return what the calls returned, after telling what they printed and warned of.

        Raises
        ------
        BaseException
            What one of them raised, or what became of the task.
        """
        outcome, self._outcome = self._outcome, None
        outcome.tell()
        if outcome.error is not None:
            raise outcome.error
        return outcome.value


class Attempt:
    """One worker's try at a task.

    Parameters
    ----------
    task : Task
    number : int
    handle : WorkerHandle

    Attributes
    ----------
    task, number, handle
    is_late : bool
        Whether it was killed as it took too long.
    """

    def __init__(self, task, number, handle):
        self.task = task
        self.number = number
        self.handle = handle
        self.is_late = False

    @property
    def elapsed(self):
        """Seconds since the worker began; 0.0 while it has not."""
        began = self.handle.began
        return 0.0 if began is None else time.monotonic() - began
