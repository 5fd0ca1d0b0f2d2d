"""Pipes whose write end keeps a child process alive.

A child (the guard of the embedded server, a worker process) ends when it reads end-of-file, and
the kernel sends that end-of-file whatever ends this process, SIGKILL included. It would not do so
while a fork of this process held a copy of the write end, so every fork closes its copies first.
(Children started by ``subprocess`` never get one: the descriptors are not inheritable.)
"""

import os
import select
import threading
import time

_WRITE_SECONDS = 60.0
_LOOK_SECONDS = 0.1

_lock = threading.RLock()
_open: set["Lifeline"] = set()


class Lifeline:
    """One pipe: the child reads, and this process only ever writes to it or closes it.

    Attributes
    ----------
    read_end : int
        File descriptor for the child; the caller closes it here once the child has it.
    write_end : int
        File descriptor that stays with this process until :meth:`close`.
    """

    def __init__(self):
        with _lock:
            self.read_end, self.write_end = os.pipe()
            os.set_blocking(self.write_end, False)
            _open.add(self)

    def write(self, data: bytes, timeout: float = _WRITE_SECONDS) -> None:
        """Write to the child, whatever other threads do with the pipe.

        Parameters
        ----------
        data : bytes
        timeout : float
            Seconds for the child to read what the pipe has no room for.

        Raises
        ------
        BrokenPipeError
            The child has ended, or :meth:`close` was called.
        TimeoutError
            The child does not read.
        """
        deadline = time.monotonic() + timeout
        while data:
            with _lock:  # or the descriptor could be closed, and be that of another file
                if self not in _open:
                    raise BrokenPipeError("the pipe is closed")
                try:
                    data = data[os.write(self.write_end, data) :]
                    continue
                except BlockingIOError:
                    pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"the child has not read for {timeout:g} s")
            try:
                select.select([], [self.write_end], [], _LOOK_SECONDS)
            except (OSError, ValueError):  # it has just been closed: looked at above
                pass

    def close(self) -> None:
        """Let the child end. A second call does nothing."""
        with _lock:
            if self in _open:
                _open.remove(self)
                os.close(self.write_end)


def _after_fork_in_child() -> None:
    """Let go of the children of the parent."""
    for lifeline in _open:
        os.close(lifeline.write_end)
    _open.clear()
    _lock.release()


# The lock is held over a fork, so that no pipe exists that the set does not know yet.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork_in_child
)
