"""Which Python runs a function, and what Lambda's own runtime puts on its import path.

Lambda's Python runtimes bring awslambdaric and boto3 along; whatever else a function imports must
be in its zip. For the Python that this process runs on, both are already installed here, and a
folder of symbolic links shows them, and nothing else, to the slots. For another Python they are
installed once with pip, into a folder in the user's cache.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..exceptions import ConfigurationError

_BROUGHT = ("awslambdaric", "boto3")
_OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
_KNOWN = re.compile(r"python3\.\d+")
_PROBE = "import sys; print(sys.executable); print('python%d.%d' % sys.version_info[:2])"
_PIP_TIMEOUT = 300.0


@dataclass(frozen=True)
class Runtime:
    """What runs functions of one ``Runtime``.

    Attributes
    ----------
    python : str
        The interpreter.
    libraries : str
        The folder that goes last on the import path.
    """

    python: str
    libraries: str


class Runtimes:
    """Finds interpreters.

    Parameters
    ----------
    folder : Path
        Folder of the emulator, for the links.
    pythons : dict of str to path
        Interpreters to use, as ``{"python3.13": "/usr/bin/python3.13"}``; others are looked for.
    """

    def __init__(self, folder: Path, pythons: dict):
        self._folder = folder
        self._pythons = dict(pythons)
        self._lock = threading.Lock()
        self._found: dict[str, Runtime] = {}

    def find(self, name: str) -> Runtime:
        """Give the runtime of a name such as ``"python3.13"``.

        Raises
        ------
        ConfigurationError
            There is no such Python here, or awslambdaric cannot be installed for it.
        """
        with self._lock:
            if name not in self._found:
                self._found[name] = self._make(name)
            return self._found[name]

    def _make(self, name: str) -> Runtime:
        """Find the interpreter and gather its libraries."""
        if not _KNOWN.fullmatch(name):
            raise ConfigurationError(f"only Python is emulated, not the runtime {name}")
        python, version = self._interpreter(name)
        if version == _OWN:
            return Runtime(python, str(self._linked()))
        return Runtime(python, str(_installed(version)))

    def _interpreter(self, name: str) -> tuple[str, str]:
        """Find an interpreter and its version; one that was given is taken whatever it is."""
        if name in self._pythons:
            if found := _probe(self._pythons[name]):
                return found
            raise ConfigurationError(f"{self._pythons[name]}, given for {name}, is not a Python")
        if name == _OWN:
            return sys.executable, _OWN
        for candidate in _candidates(name):
            if (found := _probe(candidate)) and found[1] == name:
                return found
        raise ConfigurationError(
            f"there is no {name} here: install it, or say which Python to take instead "
            f"(pythons={{{name!r}: path}}, or --python {name}=PATH)"
        )

    def _linked(self) -> Path:
        """Show what is installed here, and nothing else, through symbolic links."""
        folder = self._folder / "libraries"
        if not folder.exists():
            folder.mkdir()
            for distribution in _with_requirements(_BROUGHT):
                tops = {Path(file).parts[0] for file in distribution.files or ()}
                for top in tops - {"..", "__pycache__"}:
                    (folder / top).symlink_to(Path(distribution.locate_file(top)).resolve())
        return folder


def _with_requirements(names) -> list:
    """Give distributions and all that they require, of what is installed here."""
    waiting, seen, found = list(names), set(), []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            if name in names:
                raise ConfigurationError(
                    f"the emulator needs {name}: pip install 'sklearn-cirrus[emulate]'"
                ) from error
            continue  # required under other circumstances only
        found.append(distribution)
        waiting.extend(
            re.match(r"[\w.-]+", line)[0]
            for line in distribution.requires or ()
            if "extra ==" not in line
        )
    return found


def _candidates(name: str):
    """Name the places where a Python may lie: the search path, pyenv, uv."""
    if found := shutil.which(name):
        yield found
    version = name.removeprefix("python")
    for root in (
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions",
        Path("~/.local/share/uv/python").expanduser(),
    ):
        yield from map(str, root.glob(f"*{version}.*/bin/{name}"))


def _probe(python) -> tuple[str, str] | None:
    """Run an interpreter and give its path and its version."""
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split("\n")
    return (lines[0], lines[1]) if done.returncode == 0 and len(lines) > 1 else None


def _installed(version: str) -> Path:
    """Give the folder with awslambdaric and boto3 for another Python; pip fills it once."""
    pins = [f"{name}=={metadata.version(name)}" for name in _BROUGHT]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sklearn-cirrus"
    folder = cache / "-".join([version, *pins]).replace("==", "-")
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    making = tempfile.mkdtemp(dir=cache)
    try:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", making]
        command += ["--python-version", version.removeprefix("python"), "--only-binary=:all:"]
        done = subprocess.run(command + pins, capture_output=True, text=True, timeout=_PIP_TIMEOUT)
        if done.returncode:
            raise ConfigurationError(
                f"awslambdaric cannot be installed for {version}: {done.stderr.strip()}"
            )
        os.chmod(making, 0o755)
        try:
            os.rename(making, folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster
                raise
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"pip takes longer than {_PIP_TIMEOUT:g} s to install awslambdaric for {version}"
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder
