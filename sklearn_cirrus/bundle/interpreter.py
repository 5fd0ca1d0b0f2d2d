"""A Python of the target's version on this machine: it writes the bytecode, and tries the bundle.

Bytecode (``.pyc``) of one version of Python is of no use to another, so that of the target is
written by a Python of the target's version. Which architecture that has does not matter.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from .._scratch import temporary_folder
from ..exceptions import BundleError
from .tool import run_tool

ROOT = "/var/task"  # where Lambda unpacks a function; tracebacks name files by it
_VERSION = "import sys; print('{}.{}'.format(*sys.version_info), sys.implementation.name)"

# Unchecked: Python takes the bytecode without looking whether the source has changed since. The
# times of files, on which it usually relies, do not survive the zip.
_COMPILE = f"""
import compileall, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
done = compileall.compile_dir(sys.argv[1], maxlevels=99, quiet=1, force=True,
    stripdir=sys.argv[1], prependdir={ROOT!r}, invalidation_mode=unchecked)
sys.exit(not done)
"""

_IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
start = time.perf_counter()
for name in sys.argv[2:]:
    __import__(name)
print(time.perf_counter() - start)
"""


def find_interpreter(python: str, given: str | Path | None = None) -> str | None:
    """Return the path of a CPython of a version, or None if there is none.

    Parameters
    ----------
    python : str
        Such as "3.13".
    given : str or Path, optional
        The interpreter to take. By default the running one, or ``python3.13`` on the PATH.

    Raises
    ------
    BundleError
        If the given one cannot be run or is of another version.
    """
    if given is not None:
        if (found := _version(given)) != f"{python} cpython":
            raise BundleError(f"{given} is {found or 'no Python'}, and CPython {python} is needed")
        return str(given)
    running = f"{'{}.{}'.format(*sys.version_info)} {sys.implementation.name}"
    if running == f"{python} cpython":
        return sys.executable
    named = shutil.which(f"python{python}")
    return named if named and _version(named) == f"{python} cpython" else None


def _version(interpreter: str | Path) -> str:
    """Return version and implementation of an interpreter, or an empty string."""
    try:
        return subprocess.run(
            [interpreter, "-I", "-S", "-c", _VERSION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def write_bytecode(interpreter: str, folder: Path) -> None:
    """Compile every Python file of a folder.

    Parameters
    ----------
    interpreter : str
    folder : Path

    Raises
    ------
    BundleError
        If a file cannot be compiled.
    """
    # -S -s -P and no variables but one: nothing of this machine's configuration is read. The
    # seed makes sets come out in one order, and the bytecode the same each time.
    _run(
        [interpreter, "-S", "-s", "-P", "-c", _COMPILE, str(folder)],
        {"PYTHONHASHSEED": "0"},
        "the bytecode cannot be written",
    )


def time_cold_import(interpreter: str, bundle: Path, modules: list[str], repeats: int = 3) -> float:
    """Return the seconds that the bundle takes to be imported by a Python that has nothing else.

    Parameters
    ----------
    interpreter : str
    bundle : Path
        The zip file; it is unpacked to a temporary folder.
    modules : list of str
        What to import.
    repeats : int
        Number of processes that are started; the least of their times is returned, since
        whatever else this machine does can only add to it.

    Raises
    ------
    BundleError
        If an import fails.
    """
    with temporary_folder() as scratch:
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(scratch)
        command = [interpreter, "-I", "-S", "-B", "-c", _IMPORT, scratch, *modules]
        failure = f"{bundle.name} cannot be imported"
        return min(float(_run(command, {}, failure)) for _ in range(repeats))


def _run(command: list[str], variables: dict[str, str], failure: str) -> str:
    """Run an interpreter with these variables alone and return what it prints."""
    done = run_tool(command, f"{failure}: {command[0]}", env=variables)
    if done.returncode:
        raise BundleError(f"{failure} by {command[0]}:\n{done.stderr or done.stdout}")
    return done.stdout
