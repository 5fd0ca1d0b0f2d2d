"""The module built with sanitizers, and servers that run with it."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sklearn_cirrus.bundle.compiled import MODULE_SOURCES

SOURCE = Path(__file__).resolve().parents[2] / "sklearn_cirrus" / "redis_module"
_FLAGS = (
    "-std=c11",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-ffp-contract=off",
    "-fPIC",
)
_MOST_MEGABYTES = 256  # of one allocation: a table of a random size must not take the machine down
# Where compiled parts are kept for the next build: the sanitizers make the compiler slow.
kept: Path | None = None


class NoSanitizer(Exception):
    """There is no compiler here, or it lacks the sanitizers."""


def build(folder, address):
    """Compile the module into a folder.

    Parameters
    ----------
    folder : path-like
    address : bool
        AddressSanitizer besides UBSan; the tables then lie in the C library's memory, as those of
        Redis's allocator would hide an overrun.

    Returns
    -------
    Path
    """
    module = Path(folder, "cirrus.so")
    kinds = "undefined,float-cast-overflow" + (",address" if address else "")
    command = [_compiler(), *_FLAGS, f"-fsanitize={kinds}", "-fno-sanitize-recover=all"]
    plain = ["-DCIRRUS_PLAIN_MEMORY"] if address else []
    parts = [_part(name, [*command, *plain, "-c"], kept or Path(folder)) for name in MODULE_SOURCES]
    _compile([*command, "-shared", *parts, "-o", str(module), "-lm"])
    return module


def _part(name, command, folder):
    """Compile a source into a folder, unless it has been with the same headers and command."""
    files = (SOURCE / name, *sorted(SOURCE.glob("*.h")))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    digest.update(" ".join(command).encode())
    part = folder / f"{Path(name).stem}-{digest.hexdigest()[:16]}.o"
    if not part.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch, part.name)
            _compile([*command, str(SOURCE / name), "-o", str(made)])
            os.replace(made, part)
    return str(part)


def _compile(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoSanitizer(done.stderr)


def wrap(program, folder, address):
    """Write a script that runs a server under the sanitizers; their reports go into the folder.

    AddressSanitizer must come before all else in the process, so it is preloaded. Valkey loads
    modules with RTLD_DEEPBIND, under which it refuses to work: UBSan alone is for Valkey.
    """
    lines = [
        f"UBSAN_OPTIONS=log_path={folder}/report:print_stacktrace=1:halt_on_error=1",
        "export UBSAN_OPTIONS",
    ]
    if address:
        options = (
            f"log_path={folder}/report:halt_on_error=1:abort_on_error=0:detect_leaks=1:"
            f"allocator_may_return_null=1:max_allocation_size_mb={_MOST_MEGABYTES}:"
            "quarantine_size_mb=8:handle_abort=1"
        )
        lines += [f"ASAN_OPTIONS={options}", f"LD_PRELOAD={_library('libasan.so')}"]
        lines += ["export ASAN_OPTIONS LD_PRELOAD"]
    else:
        lines += ["ulimit -v 4000000"]
    script = Path(folder, "server.sh")
    script.write_text("\n".join(["#!/bin/sh", *lines, f'exec "{program}" "$@"']) + "\n")
    script.chmod(0o755)
    return str(script)


def reports(folder):
    """Return what the sanitizers have found: texts of errors, and leaks of the module's memory."""
    found = []
    for path in sorted(Path(folder).glob("report*")):
        text = path.read_text(errors="replace")
        if "LeakSanitizer: detected memory leaks" not in text:
            # A warning tells of an allocation that was refused, as is right.
            found += [text] * ("ERROR: " in text or "runtime error: " in text)
            continue
        # Redis gives nothing back when it ends; only what the module has lost is a finding.
        blocks = (part for part in text.split("\n\n") if " leak of " in part)
        ours = *MODULE_SOURCES, "cirrus.so"
        found += [part for part in blocks if any(name in part for name in ours)]
    return found


def _compiler():
    """Return the compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoSanitizer("there is no gcc")
    return compiler


def _library(name):
    """Return the path of one of the compiler's libraries."""
    command = [_compiler(), f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).is_file():
        raise NoSanitizer(f"the compiler has no {name}")
    return str(Path(path).resolve())
