"""The command ``sklearn-cirrus emulate``: a service that runs until it is interrupted."""

import argparse
import signal
import threading

from ..exceptions import ConfigurationError
from ._emulator import LambdaEmulator


def run_emulator(options: argparse.Namespace) -> int:
    """Run a service until SIGINT or SIGTERM; says first which variables point boto3 at it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LambdaEmulator(
            port=options.port,
            concurrency=options.concurrency,
            s3_endpoint_url=options.s3_endpoint_url,
            pythons=_interpreters(options.python),
            logs=options.logs,
        ) as emulator:
            lines = (f"export {name}={value}" for name, value in emulator.environment().items())
            print(*lines, sep="\n", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0  # the way to end it
    finally:
        signal.signal(signal.SIGTERM, before)


def _interpreters(given: list[str]) -> dict[str, str]:
    """Read the interpreters."""
    for text in given:
        if not all(text.partition("=")):
            raise ConfigurationError(f"--python must be RUNTIME=PATH, not {text!r}")
    return dict(text.split("=", 1) for text in given)
