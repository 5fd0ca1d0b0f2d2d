"""The libraries of a bundle: wheels for the target, from PyPI through pip, unpacked."""

import logging
import os
import re
import shutil
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import cirrus_runtime

from .._scratch import temporary_folder
from ..exceptions import BundleError
from .target import Target
from .tool import run_tool

_FILES = {False: ("requirements.txt",), True: ("requirements.txt", "requirements-task.txt")}
_NO_MATCH = re.compile(r"No matching distribution found for ([\w.-]+)==")

logger = logging.getLogger(__name__)


def read_requirements(task: bool = False) -> list[str]:
    """Return the requirements of the worker's bundle, or of the task's.

    Returns
    -------
    list of str
        Such as ``numpy>=1.26``.
    """
    folder = Path(cirrus_runtime.__file__).parent
    lines = [line for name in _FILES[task] for line in (folder / name).read_text().splitlines()]
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def fetch_wheels(requirements: list[str], target: Target, folder: Path) -> list[Path]:
    """Get the wheels for a target, in the versions that are installed here where they exist.

    Parameters
    ----------
    requirements : list of str
        Each a name and a range of versions.
    target : Target
    folder : Path
        A folder of wheels: those that are there already are not downloaded again, and those
        that are downloaded stay there. It is made if it does not exist.

    Returns
    -------
    list of Path
        The wheels in the folder, also of what the requirements require in turn, by name.

    Raises
    ------
    BundleError
        If pip is missing, cannot reach PyPI, or finds no wheel of a version in range.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {re.match(r"[\w.-]+", line)[0]: line for line in requirements}
    for name in wanted:
        try:
            wanted[name] = f"{name}=={metadata.version(name)}"
        except metadata.PackageNotFoundError:
            logger.info("%s is not installed here: any version may be taken", name)
    ranges = dict(zip(wanted, requirements, strict=True))
    with temporary_folder() as scratch:
        while True:
            output = Path(scratch) / "wheels"
            problem = _pip(wanted, target, output, ["--no-index", "--find-links", folder])
            if problem:
                problem = _pip(wanted, target, output, ["--find-links", folder])
            if not problem:
                break
            unmatched = _NO_MATCH.search(problem)
            name = unmatched and unmatched[1]
            if wanted.get(name) in (None, ranges.get(name)) or "from versions: none" in problem:
                raise BundleError(_explain(problem, target))
            logger.warning(
                "%s has no wheel for %s: another version is taken (%s)",
                wanted[name],
                target,
                ranges[name],
            )
            wanted[name] = ranges[name]
        wheels = [shutil.copy2(wheel, folder) for wheel in sorted(output.glob("*.whl"))]
    return [Path(wheel) for wheel in wheels]


def _pip(wanted: dict[str, str], target: Target, output: Path, sources: list) -> str:
    """Run pip download once; return what went wrong, or an empty string."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", target.python]
    command += [word for tag in target.platforms for word in ("--platform", tag)]
    command += ["--dest", output, *sources, *wanted.values()]
    # Its own temporary folders too: it cannot remove them when it is killed.
    variables = os.environ | {"TMPDIR": str(output.parent)}
    done = run_tool(command, "pip, downloading the wheels,", env=variables)
    return done.stderr.strip() or "pip failed" if done.returncode else ""


def _explain(problem: str, target: Target) -> str:
    """Return one sentence on a failure of pip."""
    if "No module named pip" in problem:
        return f"pip is not installed for {sys.executable}: python -m ensurepip"
    errors = [line for line in problem.splitlines() if line.startswith("ERROR: ")] or [problem]
    unreachable = "Connection" in problem or "Temporary failure in name resolution" in problem
    advice = (
        "the package index cannot be reached: connect, or give a folder that holds the wheels"
        if unreachable
        else "choose another target, or install a version that has wheels for it"
    )
    said = " ".join(line.removeprefix("ERROR: ")[:300] for line in errors[-1:])
    return f"pip has no wheels for {target} ({said}); {advice}"


def unpack_wheel(wheel: Path, folder: Path) -> tuple[str, str]:
    """Unpack a wheel into a folder as an installer would, but for scripts and headers.

    Returns
    -------
    tuple of str
        The name and the version of what it holds.
    """
    name, version = wheel.name.split("-")[:2]
    data = f"{name}-{version}.data/"
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(data):
                kind, _, inside = entry.filename.removeprefix(data).partition("/")
                if kind not in ("purelib", "platlib") or not inside:
                    continue
                entry.filename = inside
            archive.extract(entry, folder)
    return name.replace("_", "-").lower(), version
