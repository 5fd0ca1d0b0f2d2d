"""Runs a program for a bundle: with a deadline, and never longer than this process lives.

A shell stands between, in a session of its own. When its standard input ends, because the deadline
has come, an exception was raised or this process is gone in whatever way, it kills all that it
has started: pip and zig start others in turn.
"""

import os
import subprocess

from .._lifeline import Lifeline
from ..exceptions import BundleError

SECONDS = 600.0  # zig builds its C library before the first compilation for a target

_SCRIPT = """
exec 3<&0
"$@" </dev/null 3<&- &
tool=$!
{ read -r _ <&3; kill -KILL 0; } </dev/null >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait $tool
status=$?
kill -KILL $reader
exit $status
"""


def run_tool(command, what: str, *, env=None, cwd=None, seconds: float = SECONDS):
    """Run a program and wait for its end.

    Parameters
    ----------
    command : sequence of str or Path
    what : str
        What it does, for the error: "what took more than ... s".
    env : dict of str to str, optional
        All of its variables; by default those of this process.
    cwd : Path, optional
    seconds : float

    Returns
    -------
    subprocess.CompletedProcess
        Whatever its status is, with what it wrote as text.

    Raises
    ------
    BundleError
        It took longer, or there is no shell.
    """
    lifeline = Lifeline()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "cirrus-tool", *command],
            stdin=lifeline.read_end,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C comes here first, and ends it through the lifeline
        )
    except OSError as error:
        lifeline.close()
        raise BundleError(f"{what}: /bin/sh cannot be run: {error}") from error
    finally:
        os.close(lifeline.read_end)
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise BundleError(f"{what} took more than {seconds:g} s") from error
        finally:
            lifeline.close()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
