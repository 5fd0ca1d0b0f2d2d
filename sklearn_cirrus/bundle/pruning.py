"""What a function does not need of the libraries: tests, what compilers and editors read."""

import re
from pathlib import Path, PurePosixPath

# What Python, at run time, never opens.
_SUFFIXES = frozenset(
    ".a .c .cc .cpp .cxx .f .f90 .h .hpp .lib .pxd .pxi .pyi .pyx .tp .typed .build .pc".split()
)
_FOLDERS = frozenset({"tests", "__pycache__"})
_LICENCE = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)

# By path. The libraries named here are imported by numpy's tests alone. numpy.f2py stays, without
# its C sources: `from numpy import *` imports it, and scipy does that.
_PATHS = re.compile(
    r"""
    numpy/(distutils|_pyinstaller|doc|random/_examples|_core/(include|lib))/
    | numpy/_core/(_simd|_\w+_tests)\.[^/]+\.so$
    | joblib/test/
    | (.+/)?conftest\.py$
    """,
    re.VERBOSE,
)

# numpy.testing of numpy 2.2 imports it, and `from numpy import *` imports numpy.testing.
_KEPT = re.compile(r"numpy/_core/tests/(__init__|_natype)\.py$")


def is_needed(path: str) -> bool:
    """Say whether a file belongs into a bundle.

    Parameters
    ----------
    path : str
        Relative to the bundle's root, with slashes.
    """
    parts = PurePosixPath(path).parts
    if parts[0].endswith(".dist-info"):
        # METADATA: redis asks for its own version. Licences have to go with what they license.
        return parts[1:] == ("METADATA",) or any(map(_LICENCE.search, parts[1:]))
    if parts[0] in ("bin", "share", "include"):
        return False
    if _KEPT.match(path):
        return True
    if _FOLDERS & set(parts[:-1]) or PurePosixPath(path).suffix in _SUFFIXES:
        return False
    return not _PATHS.match(path)


def prune(folder: Path) -> None:
    """Delete from a folder what is not needed, and the folders that this leaves empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside comes first
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif not is_needed(path.relative_to(folder).as_posix()):
            path.unlink()
