"""The shell that stands between an embedded server and this process.

It waits for two events. When the server ends, the guard removes the server's folder and ends
too, so one ``poll()`` here tells of both. When the guard's standard input ends, because
:meth:`Guard.end` closed it or because this process is gone in whatever way, SIGKILL included, it
kills the server first. The server has nothing to save, so SIGKILL loses nothing and cannot hang.
The guard leads a session of its own: Ctrl-C in the terminal does not reach it or the server.

Rejected: PR_SET_PDEATHSIG (Linux only, and it fires when the starting *thread* ends); a thread
that watches (dies with the process); a Python process as guard (slow to start and 10 MB).
"""

import os
import shutil
import subprocess

from .._lifeline import Lifeline
from ..exceptions import ServerError

# Arguments: server program, configuration file, folder to remove.
_SCRIPT = """
exec 3<&0
"$1" "$2" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -KILL $server; rm -rf "$3"; } </dev/null &
reader=$!
exec 3<&-
wait $server
status=$?
kill -KILL $reader
rm -rf "$3"
exit $status
"""
# Arguments and replies of a wide search are megabytes each, several in a step. By default they are
# new pages of the system's each time, which takes longer than to copy them; so what has been freed
# is kept. (The module itself gives the pages of a model back.) For a Redis with the system's
# jemalloc, or its own, and for a Valkey with glibc's allocator.
_MEMORY = {
    "MALLOC_CONF": "dirty_decay_ms:-1",
    "JE_MALLOC_CONF": "dirty_decay_ms:-1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the most that it accepts
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
_END_TIMEOUT = 10.0  # seconds for the guard to kill the server and remove the folder


class Guard:
    """A running guard with its server.

    Parameters
    ----------
    binary, config : str
        The server program and its configuration file.
    folder : str
        Removed when the server has ended, or now if the guard does not start.
    log : file
        Takes the output of server and guard.

    Raises
    ------
    ServerError
        The shell cannot be run.
    """

    def __init__(self, binary: str, config: str, folder: str, log):
        self._lifeline = Lifeline()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "cirrus-server", binary, config, folder],
                stdin=self._lifeline.read_end,
                stdout=log,
                stderr=log,
                # A server that cannot set the locale of its environment does not start.
                env={**_MEMORY, **os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            self._lifeline.close()
            shutil.rmtree(folder)
            raise ServerError(f"/bin/sh cannot be run: {error}") from error
        finally:
            os.close(self._lifeline.read_end)

    def poll(self) -> int | None:
        """Give the server's exit status (128 + n after signal n), or None while it runs."""
        return self._shell.poll()

    def end(self) -> None:
        """Kill the server, and wait until it and its folder are gone.

        Raises
        ------
        ServerError
            They are still there after ten seconds.
        """
        self._lifeline.close()
        try:
            self._shell.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise ServerError(
                f"the embedded server does not end within {_END_TIMEOUT:g} s of SIGKILL"
            ) from error

    def forget(self) -> None:
        """In a forked child: it is the parent's process, so Popen must not warn about it."""
        self._shell.returncode = 0
