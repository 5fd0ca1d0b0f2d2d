"""``sklearn-cirrus bundle``: build a bundle and hold it to Lambda's limits."""

import argparse
import time
import zipfile
from pathlib import Path

from .build import LAMBDA_UNZIPPED, LAMBDA_ZIPPED, WORKER_ZIPPED, Bundle, build_task, build_worker
from .interpreter import find_interpreter, time_cold_import
from .target import GLIBC, MACHINES, Target

# What a first invocation imports; the handlers, where the bundle has them.
_ENTRY = {False: "cirrus_runtime.handler", True: "cirrus_runtime.task"}
_WORK = {
    False: ["cirrus_runtime.worker"],
    True: ["cloudpickle", "joblib", "sklearn.linear_model", "sklearn.model_selection"],
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "--python",
        choices=tuple(GLIBC),
        default=Target().python,
        help="Lambda's Python (default: %(default)s)",
    )
    parser.add_argument(
        "--architecture",
        choices=tuple(MACHINES),
        default=Target().architecture,
        help="default: %(default)s",
    )
    parser.add_argument(
        "--task", action="store_true", help="the bundle of joblib tasks, in place of the worker's"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder"
    )
    parser.add_argument(
        "--interpreter",
        type=Path,
        metavar="FILE",
        help="a Python of that version, to write the bytecode (default: this one if it is, else "
        "the one on the PATH)",
    )
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="a folder to take wheels from, and to keep those in that are downloaded",
    )


def run_bundle(options: argparse.Namespace) -> int:
    """Build the bundle and print its sizes and the time of its import.

    Returns
    -------
    int
        0.

    Raises
    ------
    BundleError
        If it cannot be built, or not be imported.
    """
    target = Target(options.python, options.architecture)
    build = build_task if options.task else build_worker
    start = time.monotonic()
    bundle = build(target, options.output, interpreter=options.interpreter, wheels=options.wheels)
    seconds = time.monotonic() - start
    print(f"{bundle.path}  for {target}, built in {seconds:.1f} s")
    print("    " + ", ".join(f"{name} {version}" for name, version in bundle.versions.items()))
    print(f"    zipped    {_megabytes(bundle.zipped)}  {_limits(bundle, options.task)}")
    print(
        f"    unzipped  {_megabytes(bundle.unzipped)}  Lambda's limit {LAMBDA_UNZIPPED >> 20} MiB"
    )
    print(f"    sha256    {bundle.sha256}")
    interpreter = find_interpreter(target.python, options.interpreter)
    if not bundle.precompiled:
        print(
            f"    bytecode  none: no Python {target.python} was found here (--interpreter names "
            "one), so every cold start compiles the sources"
        )
    if interpreter is not None and target.runs_here():
        modules = _modules(bundle, options.task)
        seconds = time_cold_import(interpreter, bundle.path, modules)
        print(f"    import    {seconds:.3f} s for {', '.join(modules)} in a new process here")
    else:
        print("    import    not measured: this machine cannot run it")
    return 0


def _modules(bundle: Bundle, task: bool) -> list[str]:
    """Return what a function imports before it can work."""
    with zipfile.ZipFile(bundle.path) as archive:
        has_handler = f"{_ENTRY[task].replace('.', '/')}.py" in archive.namelist()
    return [_ENTRY[task]] * has_handler + _WORK[task]


def _megabytes(size: int) -> str:
    """Return a size in MiB, in which Lambda's limits are given."""
    return f"{size / (1 << 20):6.1f} MiB ({size:,} bytes)"


def _limits(bundle: Bundle, task: bool) -> str:
    """Return what the zipped size is to be compared with."""
    upload = f"Lambda's limit of a direct upload {LAMBDA_ZIPPED >> 20} MiB"
    if bundle.zipped > LAMBDA_ZIPPED:
        upload += ": goes through S3"
    return upload if task else f"our limit {WORKER_ZIPPED / (1 << 20):.1f} MiB, {upload}"
