"""The compiled parts for a target: those installed here where they fit, else compiled by zig.

``zig cc`` (PyPI's ``ziglang``) is a C compiler that brings the C library of every Linux with it,
so that any machine can compile for any target.
"""

import importlib.util
import logging
import os
import shutil
import sys
from pathlib import Path

import cirrus_runtime

from .._scratch import temporary_folder
from ..exceptions import BundleError
from .elf import read_library
from .target import Target
from .tool import run_tool

# The same as in CMakeLists.txt; a test holds them together.
KERNEL_SOURCES = (
    *("model.c", "table.c", "slots.c", "logistic.c", "many.c", "factorization.c"),
    *("many_factors.c", "fold_in.c", "normal_equations.c", "item_solutions.c", "full_batch.c"),
    *("ingest.c", "split.c"),
    *("text.c", "text_follow.c", "text_gather.c", "text_number.c", "libsvm.c", "hashing.c"),
    "digest.c",
)
MODULE_SOURCES = (
    *("module.c", "arguments.c", "create.c", "step.c", "dump.c", "vector.c"),
    *("model_type.c", "memory.c", "model.c", "table.c", "slots.c"),
)
FLAGS = (
    *("-std=c11", "-O3", "-DNDEBUG", "-Wall", "-Wextra"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)

KERNELS = "libcirrus_kernels.so"
MODULE = "cirrus.so"
_SOURCES = Path(__file__).parents[1] / "redis_module"

logger = logging.getLogger(__name__)


def build_kernels(target: Target, folder: Path) -> Path:
    """Put the kernels for a target into a folder.

    Parameters
    ----------
    target : Target
    folder : Path
        It must exist.

    Returns
    -------
    Path
        ``libcirrus_kernels.so`` in the folder.

    Raises
    ------
    BundleError
        If they have to be compiled and ``ziglang`` is not installed or fails.
    """
    installed = Path(cirrus_runtime.__file__).with_name(KERNELS)
    return _build(installed, KERNEL_SOURCES, target, folder / KERNELS)


def build_module(target: Target, folder: str | Path) -> Path:
    """Put the Redis module for a server of a target's kind into a folder.

    Parameters
    ----------
    target : Target
        Its architecture and C library count; its Python does not.
    folder : str or Path
        Made if it does not exist.

    Returns
    -------
    Path
        ``cirrus.so`` in the folder, with the execute permission that Redis asks for.

    Raises
    ------
    BundleError
        If it has to be compiled and ``ziglang`` is not installed or fails.

    Examples
    --------
    It may compile for some seconds, so this is not run here:

    >>> from sklearn_cirrus.bundle import Target, build_module
    >>> build_module(Target("3.13", "arm64"), "out")                         # doctest: +SKIP
    PosixPath('out/cirrus.so')
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    return _build(_SOURCES / MODULE, MODULE_SOURCES, target, Path(folder) / MODULE)


def _build(installed: Path, sources: tuple[str, ...], target: Target, output: Path) -> Path:
    """Copy the installed library if the target can load it, else compile the sources."""
    if _fits(installed, target):
        shutil.copyfile(installed, output)
    else:
        _compile(sources, target, output)
    output.chmod(0o755)
    return output


def _fits(library: Path, target: Target) -> bool:
    """Say whether the target can load a library."""
    try:
        machine, glibc = read_library(library)
    except (BundleError, FileNotFoundError):  # a Mac has its own format
        return False
    return machine == target.machine and glibc <= target.glibc


def _compile(sources: tuple[str, ...], target: Target, output: Path) -> None:
    """Compile a library for a target and check what it asks of it."""
    if importlib.util.find_spec("ziglang") is None:
        raise BundleError(
            f"{output.name} has to be compiled for {target}, and the compiler is not installed: "
            "pip install ziglang"
        )
    machine = f"{target.machine}-linux-gnu.{target.glibc[0]}.{target.glibc[1]}"
    logger.info("compiling %s for %s", output.name, machine)
    with temporary_folder() as scratch:
        command = [sys.executable, "-m", "ziglang", "cc", "-target", machine, *FLAGS]
        # -s: without debug information, which names folders of this machine.
        command += ["-fno-sanitize=all", "-fPIC", "-shared", "-s", *sources, "-lm"]
        command += ["-o", str(output.resolve())]
        variables = os.environ | {"ZIG_LOCAL_CACHE_DIR": scratch, "TMPDIR": scratch}
        done = run_tool(command, f"zig, compiling {output.name},", cwd=_SOURCES, env=variables)
    if done.returncode:
        raise BundleError(f"zig could not compile {output.name} for {target}:\n{done.stderr}")
    found = read_library(output)
    if found.machine != target.machine or found.glibc > target.glibc:
        raise BundleError(f"zig compiled {output.name} for {found}, not for {target}")
