"""The shell that ends the slots and removes the emulator's folder when the emulator is gone.

The emulator ends its slots itself. The guard is for the case that it cannot: it hears the process
group of every slot over a pipe, and when the pipe closes, because the emulator was closed or its
process is gone in whatever way, SIGKILL included, it kills the groups that it has not heard the
end of, and removes the folder. A slot does nothing before the guard has been told of it.
"""

import os
import subprocess
import threading

from .._lifeline import Lifeline
from ..exceptions import WorkerError

# Lines "+ GROUP" and "- GROUP" come in; the argument is the folder to remove.
_SCRIPT = """
groups=" "
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -KILL -$group; done
rm -rf -- "$1"
"""
_END_TIMEOUT = 30.0  # seconds to remove the folder


class Guard:
    """A running guard.

    Parameters
    ----------
    folder : str
        Removed in the end.

    Raises
    ------
    WorkerError
        The shell cannot be run.
    """

    def __init__(self, folder: str):
        self._lock = threading.Lock()
        self._lifeline = Lifeline()
        self._closed = False
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", folder],
                stdin=self._lifeline.read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        except OSError as error:
            self._lifeline.close()
            raise WorkerError(f"/bin/sh cannot be run: {error}") from error
        finally:
            os.close(self._lifeline.read_end)
        self.pid = self._shell.pid

    def add(self, group: int) -> None:
        """Tell of a slot that has been started."""
        self._say(f"+ {group}\n")

    def remove(self, group: int) -> None:
        """Tell of a slot that is about to be reaped."""
        self._say(f"- {group}\n")

    def end(self) -> None:
        """Let the guard remove the folder and end.

        Raises
        ------
        WorkerError
            It takes longer than thirty seconds.
        """
        with self._lock:
            self._closed = True
            self._lifeline.close()
        try:
            self._shell.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise WorkerError(
                f"the emulator's folder is not removed within {_END_TIMEOUT:g} s"
            ) from error

    def _say(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            if not self._closed:
                try:
                    self._lifeline.write(line.encode())
                except (BrokenPipeError, TimeoutError) as error:
                    raise WorkerError("the guard of the emulator has been killed") from error
