"""Whether a client's pickles can be read here: both sides' versions of what is in them."""

import re
import sys
from functools import lru_cache
from importlib import metadata

from . import __version__
from .errors import TaskError

# How many numbers of a version have to be the same on both sides. scikit-learn's own rule is that
# estimators are read by the very version that pickled them.
_EQUAL = {"python": 2, "numpy": 1, "scikit-learn": 3, "joblib": 2, "cloudpickle": 1}
_NUMBER = re.compile(r"\d+")


def check_versions(job):
    """Refuse a task of a client whose pickles mean something else here.

    Parameters
    ----------
    job : dict
        With ``runtime`` and ``versions``, see :func:`read_versions`.

    Raises
    ------
    TaskError
        It names all that differs, on both sides, and what mends it.
    """
    if job.get("runtime") != __version__:
        raise TaskError(
            f"the client's sklearn-cirrus is {job.get('runtime')} and the worker's {__version__}: "
            "run `sklearn-cirrus deploy` with the client's version, or install the worker's"
        )
    theirs = job.get("versions")
    if not isinstance(theirs, dict):
        raise TaskError("the task does not say which versions its client has")
    ours = read_versions()
    wrong = [
        f"{name} {theirs.get(name)} there and {ours[name]} here"
        for name, count in _EQUAL.items()
        if _cut(theirs.get(name), count) != _cut(ours[name], count)
    ]
    if wrong:
        raise TaskError(
            f"client (there) and worker (here) have different versions: {', '.join(wrong)}. A "
            "task is a pickle, which one may not read as the other wrote it: run `sklearn-cirrus "
            "deploy` from the client's environment, with --python if that is what differs"
        )


@lru_cache(maxsize=1)
def read_versions():
    """Return the versions of Python and of all that pickles of tasks depend on.

    Returns
    -------
    dict of str to str
        By the names of PyPI; None for what is not installed.
    """
    versions = {"python": "{}.{}".format(*sys.version_info)}
    for name in _EQUAL:
        if name not in versions:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = None
    return versions


def _cut(version, count):
    """Return the first numbers of a version."""
    return _NUMBER.findall(str(version))[:count]
