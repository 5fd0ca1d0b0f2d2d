"""What Parallel calls have used: tasks, bytes, seconds, dollars."""

from dataclasses import dataclass

_last = None


@dataclass(frozen=True)
class Usage:
    """What one Parallel call (or all calls of one ``with Parallel()`` block) has used.

    Attributes
    ----------
    run_id : str
        Begins the names of its objects in the store and is in the workers' logs.
    tasks : int
        Functions that ``Parallel`` was given and that were run to their end.
    batches : int
        What they were sent in: joblib makes one of several short ones.
    attempts : int
        Batches that were started: each of ``batches``, once more for every retry and second copy.
    lost : int
        Attempts that ended with their worker: killed, crashed, out of memory.
    copies : int
        Second copies of stragglers that were started.
    seconds : float
        Time that the tasks took, summed over the workers.
    buffer_bytes : int
        Bytes of arrays that were put into the store, each once.
    call_bytes : int
        Bytes of everything else that was sent to workers.
    cost : float
        US dollars, by AWS's list prices: 0.0 on workers of this machine, nan if a price is not
        known.

    Examples
    --------
    >>> from sklearn_cirrus.joblib_backend import Usage
    >>> usage = Usage("3f2a90c1b7d04e55", 40, 20, 21, 1, 0, 38.5, 2_800_000, 61_000, 0.0)
    >>> usage.attempts - usage.batches  # batches that were started once more
    1
    """

    run_id: str
    tasks: int
    batches: int
    attempts: int
    lost: int
    copies: int
    seconds: float
    buffer_bytes: int
    call_bytes: int
    cost: float


def last_usage():
    """Return what the last Parallel call with backend "cirrus" that ended here has used.

    Returns
    -------
    Usage or None
        None if there was none in this process.

    Examples
    --------
    >>> import joblib
    >>> import sklearn_cirrus
    >>> from sklearn_cirrus.joblib_backend import last_usage
    >>> with joblib.parallel_config("cirrus", n_jobs=2):
    ...     joblib.Parallel()(joblib.delayed(pow)(i, 2) for i in range(4))
    [0, 1, 4, 9]
    >>> last_usage().tasks, last_usage().cost
    (4, 0.0)
    """
    return _last


def note_usage(usage):
    """Remember what a call has used."""
    global _last
    _last = usage
