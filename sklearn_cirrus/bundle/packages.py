"""Our own packages in a bundle: the runtime with the target's kernels, and for tasks the client."""

import shutil
from importlib import metadata
from pathlib import Path

import cirrus_runtime

from .compiled import build_kernels
from .target import Target

_CLIENT = Path(__file__).parents[1]
# What commands, servers and browsers need, and no estimator inside a task: it is fitted inline.
_LEFT_OUT = ("bundle", "dashboard", "deploy", "emulator", "plots", "redis_module", "cli.py")
_COMPILED = ("*.so", "*.dylib", "__pycache__")


def add_runtime(root: Path, target: Target) -> None:
    """Add the runtime as it is installed here, the target's kernels, and our licence."""
    package = root / "cirrus_runtime"
    ignore = shutil.ignore_patterns(*_COMPILED)
    shutil.copytree(Path(cirrus_runtime.__file__).parent, package, ignore=ignore)
    build_kernels(target, package)
    distribution = metadata.distribution("sklearn-cirrus")
    for file in distribution.files or ():
        parts = file.parts
        if parts[0].endswith(".dist-info") and (parts[1] == "METADATA" or "licenses" in parts):
            copy = root.joinpath(*parts)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), copy)


def add_client(root: Path) -> None:
    """Add sklearn_cirrus as it is installed here, without what no task can use."""

    def ignored(folder, names):
        left_out = set(shutil.ignore_patterns(*_COMPILED)(folder, names))
        return left_out | (set(_LEFT_OUT) & set(names) if Path(folder) == _CLIENT else set())

    shutil.copytree(_CLIENT, root / "sklearn_cirrus", ignore=ignored)
