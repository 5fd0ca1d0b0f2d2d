"""What comes back from a worker: checked, read, and told to the user as if it had happened here."""

import base64
import io
import logging
import pickle
import sys
import warnings
from functools import partial

from cirrus_runtime.errors import StoreError
from cirrus_runtime.task_format import digest, find_category, is_signed, sign_result

from ..exceptions import TaskError

_log = logging.getLogger(__name__)


class RemoteTraceback(Exception):
    """The traceback of an exception, as text from the worker that raised it.

    It is the ``__cause__`` of the exception that is raised here, so that Python prints it above.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> import joblib
    >>> import sklearn_cirrus
    >>> from sklearn_cirrus.joblib_backend import RemoteTraceback
    >>> with joblib.parallel_config("cirrus", n_jobs=2):
    ...     try:
    ...         joblib.Parallel()(joblib.delayed(int)(word) for word in ("1", "one"))
    ...     except ValueError as error:
    ...         isinstance(error.__cause__, RemoteTraceback)
    True
    """

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return f"\n{self.text}"


class Outcome:
    """How a task ended.

    Parameters
    ----------
    value : object
        What the call returned.
    error : BaseException or None
        What it raised.
    report : dict
        What the worker says.
    deliver : callable or None
        Sends on what the task's callbacks have told.

    Attributes
    ----------
    value, error
    """

    def __init__(self, value=None, error=None, report=None, deliver=None):
        self.value = value
        self.error = error
        self._report = report or {}
        self._deliver = deliver

    def tell(self):
        """Write what the task has written, send on its messages, and issue its warnings.

        Raises
        ------
        Warning
            One that a filter of this process turns into an error.
        """
        for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
            text = self._report.get(name)
            if text and stream is not None:
                stream.write(text)
                stream.flush()
        if self._deliver is not None:
            self._deliver()
        for module, name, text, filename, line in self._report.get("warnings", ()):
            warnings.warn_explicit(text, find_category(module, name), filename, line)


def read_outcome(report, job, key, store, keys, sockets=None):
    """Check what a worker has answered, and read the pickle in it.

    Parameters
    ----------
    report : dict
        The answer.
    job : dict
        The job that is answered, with its attempt.
    key : bytes
    store : Store
    keys : RunKeys
    sockets : CallbackSockets or None
        What callbacks in the task have told goes there.

    Returns
    -------
    Outcome

    Raises
    ------
    TaskError
        It is not the answer of a worker of this run to this job, or it cannot be read.
    """
    what = f"the answer to task {job['task']}"
    if not is_signed(report.get("signature"), sign_result(key, report)):
        raise TaskError(f"{what} is not signed by a worker of this run: it is not read")
    for name in ("run_id", "task", "attempt"):
        if report.get(name) != job[name]:
            raise TaskError(f"{what} is one to another job: {name} is {report.get(name)!r}")
    content, deliver = None, None
    if report["digest"] is not None:
        content, messages = _read_content(report, what, store, keys)
        if messages:
            deliver = partial(sockets.deliver, messages)
    if report["outcome"] == "value":
        return Outcome(value=content, report=report, deliver=deliver)
    return Outcome(error=_revive(content, report["error"]), report=report, deliver=deliver)


def _read_content(report, what, store, keys):
    """Return the object whose pickle the answer has or has put into the store, and messages."""
    if report["data"] is not None:
        data = base64.b64decode(report["data"])
    else:
        name = keys.result(report["task"], report["attempt"])
        try:
            data = store.get(name)
        except StoreError as error:
            raise TaskError(f"{what} cannot be read: {error}") from error
    if digest(data) != report["digest"]:
        raise TaskError(f"{what} was changed on its way: it is not read")
    messages = []
    try:
        if report["messages"]:
            stream = io.BytesIO(data)
            content, messages = pickle.load(stream), pickle.load(stream)
        else:
            content = pickle.loads(data)
    except Exception as error:  # whatever a __setstate__ may raise
        raise TaskError(
            f"{what} cannot be unpickled here: {type(error).__name__}: {error}"
        ) from error
    if report["data"] is None:
        data.release()
        store.delete([name])
    return content, messages


def _revive(error, told):
    """Return the exception of a task with its remote traceback as cause."""
    if not isinstance(error, BaseException):  # it could not be pickled
        error = TaskError(f"{told['type']}: {told['message']}")
    error.__cause__ = RemoteTraceback(told["traceback"])
    return error
