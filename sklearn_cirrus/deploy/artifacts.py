"""The files that a stack is made from: given by the user, or built for the stack's target."""

import zipfile
from contextlib import contextmanager
from pathlib import Path

from .._scratch import temporary_folder
from ..exceptions import ConfigurationError
from .bucket import CODE, SERVER
from .objects import Artifact
from .options import Options
from .plan import Artifacts

_UNZIPPED = 250 << 20  # bytes; Lambda's limit
_ELF, _AARCH64 = b"\x7fELF", 183


@contextmanager
def gather(
    bucket: str, options: Options, bundle: Path | None, task: Path | None, module: Path | None
):
    """Give the files of a stack, those that are built in a folder that goes in the end.

    Parameters
    ----------
    bucket : str
    options : Options
    bundle, task, module : Path, optional
        Files to take; those that are needed and not given are built.

    Yields
    ------
    Artifacts

    Raises
    ------
    ConfigurationError
        A given file is not what it should be.
    BundleError
        A file cannot be built.
    """
    with temporary_folder() as folder:
        worker = _check_zip(bundle) if bundle else _build("worker", options, folder)
        artifacts = {"worker": Artifact.of(worker, bucket, CODE)}
        if options.task:
            task = _check_zip(task) if task else _build("task", options, folder)
            artifacts["task"] = Artifact.of(task, bucket, CODE)
        if options.server == "host":
            module = _check_module(module) if module else _build_module(folder)
            artifacts["module"] = Artifact.of(module, bucket, SERVER)
        yield Artifacts(**artifacts)


def _build(what: str, options: Options, folder: str) -> Path:
    """Build the bundle of a function."""
    from .. import bundle

    build = bundle.build_worker if what == "worker" else bundle.build_task
    target = bundle.Target(python=options.python, architecture=options.architecture)
    return Path(build(target, folder).path)


def _build_module(folder: str) -> Path:
    """Build the server's module for the host: Amazon Linux 2023 on Graviton."""
    from .. import bundle

    return Path(bundle.build_module(bundle.Target(python="3.13", architecture="arm64"), folder))


def _check_zip(path: Path) -> Path:
    """Return a bundle's path, or refuse what Lambda would."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{path} is not a bundle: {error}") from error
    if not any(entry.filename.startswith("cirrus_runtime/") for entry in entries):
        raise ConfigurationError(
            f"{path} is not a bundle: there is no cirrus_runtime in it "
            "(`sklearn-cirrus bundle` makes one)"
        )
    size = sum(entry.file_size for entry in entries)
    if size > _UNZIPPED:
        raise ConfigurationError(
            f"{path} has {size >> 20} MiB unzipped, and Lambda takes {_UNZIPPED >> 20}"
        )
    return path


def _check_module(path: Path) -> Path:
    """Return a module's path, or refuse what the host could not load."""
    try:
        head = path.read_bytes()[:20]
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not head.startswith(_ELF) or int.from_bytes(head[18:20], "little") != _AARCH64:
        raise ConfigurationError(f"{path} is not a library for Linux on aarch64 (Graviton)")
    return path
