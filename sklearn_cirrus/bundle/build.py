"""READ FIRST: the steps from a target to a bundle."""

import base64
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .._scratch import temporary_folder
from ..exceptions import BundleError
from .archive import write_archive
from .interpreter import find_interpreter, write_bytecode
from .packages import add_client, add_runtime
from .pruning import prune
from .target import Target
from .wheels import fetch_wheels, read_requirements, unpack_wheel

# Bytes. Lambda's are those of "Lambda quotas" in the AWS Lambda Developer Guide; ours keeps the
# start of a worker short.
LAMBDA_ZIPPED = 50 << 20  # uploaded in the request; a larger one goes through S3
LAMBDA_UNZIPPED = 250 << 20
WORKER_ZIPPED = 20_000_000


@dataclass(frozen=True)
class Bundle:
    """A zip file for Lambda, and what is in it.

    Parameters
    ----------
    path : Path
    target : Target
    sha256 : str
        Of the file, in hexadecimal.
    zipped, unzipped : int
        Bytes of the file, and of all that is in it.
    versions : mapping of str to str
        The version of every distribution in it; ``sklearn-cirrus`` is that of our own packages.
    precompiled : bool
        Whether the bytecode is in it.

    Examples
    --------
    >>> from sklearn_cirrus.bundle import Bundle, Target
    >>> bundle = Bundle("w.zip", Target(), "00" * 32, 17_000_000, 59_000_000, {}, True)
    >>> bundle.code_sha256
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    """

    path: Path
    target: Target
    sha256: str
    zipped: int
    unzipped: int
    versions: Mapping[str, str]
    precompiled: bool

    @property
    def code_sha256(self) -> str:
        """The same digest as Lambda gives it (``CodeSha256``): base64."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def build_worker(
    target: Target | None = None,
    folder: str | Path = ".",
    *,
    interpreter: str | Path | None = None,
    wheels: str | Path | None = None,
) -> Bundle:
    """Build the bundle of a worker: ``cirrus_runtime`` and what it imports.

    Parameters
    ----------
    target : Target, optional
        By default arm64 and the running Python.
    folder : str or Path
        Where ``worker-<architecture>-py<version>.zip`` is written to. It is made if it does not
        exist.
    interpreter : str or Path, optional
        The Python of the target's version that writes the bytecode. By default the running one
        if it is of that version, else ``python3.13`` (or the like) on the PATH. Without one, the
        bundle has no bytecode, and starts more slowly.
    wheels : str or Path, optional
        A folder that downloaded wheels are taken from and kept in, for builds without a network.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleError
        If wheels or compiler are missing, or the result is larger than Lambda or 20 MB allow.

    Examples
    --------
    It downloads wheels, so this is not run here:

    >>> from sklearn_cirrus.bundle import Target, build_worker
    >>> bundle = build_worker(Target("3.13", "arm64"), "out")                # doctest: +SKIP
    >>> bundle.path                                                          # doctest: +SKIP
    PosixPath('out/worker-arm64-py313.zip')
    """
    return _build("worker", read_requirements(), target, folder, interpreter, wheels)


def build_task(
    target: Target | None = None,
    folder: str | Path = ".",
    *,
    interpreter: str | Path | None = None,
    wheels: str | Path | None = None,
) -> Bundle:
    """Build the bundle of a joblib task: that of a worker, with scikit-learn and this package.

    Parameters
    ----------
    target, folder, interpreter, wheels : optional
        As of :func:`build_worker`; the file is ``task-<architecture>-py<version>.zip``.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleError
        If wheels or compiler are missing, or the result is larger than Lambda allows.

    Examples
    --------
    It downloads wheels, so this is not run here:

    >>> from sklearn_cirrus.bundle import Target, build_task
    >>> bundle = build_task(Target("3.13", "arm64"), "out")                  # doctest: +SKIP
    >>> bundle.path                                                          # doctest: +SKIP
    PosixPath('out/task-arm64-py313.zip')
    """
    return _build("task", read_requirements(task=True), target, folder, interpreter, wheels)


def _build(kind, requirements, target, folder, interpreter, wheels) -> Bundle:
    """Build one bundle."""
    target = target or Target()
    interpreter = find_interpreter(target.python, interpreter)
    folder = Path(folder)
    with temporary_folder() as scratch:
        root = Path(scratch) / "root"
        cache = Path(wheels) if wheels is not None else Path(scratch) / "wheels"
        found = fetch_wheels(requirements, target, cache)
        versions = dict(unpack_wheel(wheel, root) for wheel in found)
        add_runtime(root, target)
        if kind == "task":
            add_client(root)
        versions["sklearn-cirrus"] = metadata.version("sklearn-cirrus")
        prune(root)
        if interpreter is not None:
            write_bytecode(interpreter, root)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind}-{target.label}.zip"
        packed = Path(scratch) / path.name
        unzipped = write_archive(root, packed)
        _check_size(packed, unzipped, root, WORKER_ZIPPED if kind == "worker" else None)
        shutil.move(packed, path)
    return Bundle(
        path=path,
        target=target,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        zipped=path.stat().st_size,
        unzipped=unzipped,
        versions=dict(sorted(versions.items())),
        precompiled=interpreter is not None,
    )


def _check_size(packed: Path, unzipped: int, root: Path, most: int | None) -> None:
    """Refuse a bundle that is too large, and name what takes the room."""
    zipped = packed.stat().st_size
    if unzipped > LAMBDA_UNZIPPED:
        problem = f"{unzipped:,} bytes unzipped, and Lambda takes {LAMBDA_UNZIPPED:,} at most"
    elif most is not None and zipped > most:
        problem = f"{zipped:,} bytes zipped, and a worker's may have {most:,} at most"
    else:
        return
    sizes = {
        part.name: sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
        for part in root.iterdir()
    }
    largest = sorted(sizes, key=sizes.get, reverse=True)[:3]
    named = ", ".join(f"{name} {sizes[name]:,}" for name in largest)
    raise BundleError(
        f"the bundle has {problem}; the largest parts, in bytes unzipped: {named}. Install the "
        "versions of these libraries that this version of sklearn-cirrus was tested with"
    )
