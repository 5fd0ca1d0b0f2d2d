"""Folders that go with this process: the one for blocks of fits without a store, and others.

They are private (mode 0700) and go with the process, however that ends: a shell waits at the other
end of a pipe and removes the folder when the pipe closes.
"""

import atexit
import os
import secrets
import subprocess
import tempfile
import threading
from contextlib import contextmanager

from ._lifeline import Lifeline

# More than once: a program that is ended in the same moment may still have been writing there.
_SCRIPT = 'read _; for _ in 1 2 3 4 5; do rm -rf -- "$1" && break; sleep 0.2; done'

_lock = threading.Lock()
_scratch = None


def new_path(prefix):
    """Return a path for a temporary folder, which is to be made once there is who removes it.

    Made before, it would stay if this process were ended in between.
    """
    return os.path.join(tempfile.gettempdir(), prefix + secrets.token_urlsafe(6))


class _Scratch:
    """A folder and who removes it."""

    def __init__(self):
        self.folder = new_path("sklearn-cirrus-")
        self._lifeline = Lifeline()
        try:
            self._remover = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", self.folder],
                stdin=self._lifeline.read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        except OSError:
            self._lifeline.close()
            raise
        finally:
            os.close(self._lifeline.read_end)
        try:
            os.mkdir(self.folder, 0o700)
        except OSError:
            self.remove()
            raise

    def remove(self):
        """Remove the folder and see the remover end."""
        self._lifeline.close()
        self._remover.wait(timeout=30.0)


@contextmanager
def temporary_folder():
    """Give the path of a new folder, which is removed with the block or with this process."""
    scratch = _Scratch()
    try:
        yield scratch.folder
    finally:
        scratch.remove()


def scratch_folder():
    """Return the path of the scratch folder; it is made at the first call."""
    global _scratch
    with _lock:
        if _scratch is None or not os.path.isdir(_scratch.folder):
            _scratch = _Scratch()
        return _scratch.folder


@atexit.register
def _remove():
    """Remove the folder at the end of this process."""
    global _scratch
    with _lock:
        if _scratch is not None:
            _scratch.remove()
            _scratch = None


def _after_fork_in_child():
    """Leave the folder to the parent."""
    global _lock, _scratch
    _lock = threading.Lock()
    _scratch = None


os.register_at_fork(after_in_child=_after_fork_in_child)
