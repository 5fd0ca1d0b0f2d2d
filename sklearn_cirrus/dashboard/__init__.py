"""The dashboard: a page that shows runs and searches while they go on, and those of before.

It reads the journals of a folder (``_journal.py``), so it shows what all processes of the user do,
and changes nothing but by the commands that somebody sends from the page. Needs the extra
``dashboard`` (starlette, uvicorn).
"""

import atexit
import logging
import os
import threading

from ..exceptions import ConfigurationError

__all__ = ["start_dashboard"]

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_shared = {}  # by folder


def start_dashboard(folder=None, port=0):
    """Start a dashboard in this process.

    Parameters
    ----------
    folder : path-like, optional
        Of the journals. By default that of the setting ``journal``.
    port : int, default=0
        On 127.0.0.1; 0: a free one.

    Returns
    -------
    DashboardServer
        With ``url`` and ``close()``; a context manager, too.

    Raises
    ------
    ConfigurationError
        The extra is not installed, there are no journals, or the port is taken.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_cirrus.dashboard import start_dashboard
    >>> with tempfile.TemporaryDirectory() as journals, start_dashboard(journals) as dashboard:
    ...     dashboard.url.startswith("http://127.0.0.1:")
    True
    """
    from .._journal import journal_folder
    from ..config import get_config

    if folder is None:
        folder = journal_folder(get_config().journal)
    if folder is None:
        raise ConfigurationError(
            "there is nothing to show with journal='off' (CIRRUS_JOURNAL): choose another setting, "
            "or name a folder of journals"
        )
    try:
        from ._server import DashboardServer
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise ConfigurationError(
            f"the dashboard needs {error.name}: pip install 'sklearn-cirrus[dashboard]'"
        ) from error
    return DashboardServer(folder, port)


def start_shared(folder):
    """Start the dashboard of this process for a folder, unless it runs; say where it is."""
    with _lock:
        if folder not in _shared:
            _shared[folder] = start_dashboard(folder)
            # A warning, as only these are seen where nobody has set up logging.
            logger.warning("the dashboard is at %s", _shared[folder].url)


@atexit.register
def _close_shared():
    with _lock:
        for server in _shared.values():
            server.close()
        _shared.clear()


def _after_fork_in_child():
    """Leave the servers to the parent, which has their threads."""
    global _lock, _shared
    _lock = threading.Lock()
    _shared = {}


os.register_at_fork(after_in_child=_after_fork_in_child)
