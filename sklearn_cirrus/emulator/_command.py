"""The command ``sklearn-cirrus emulate``: a service that runs until it is interrupted."""

import argparse
import signal
import threading

from ..exceptions import ConfigurationError
from ._emulator import LambdaEmulator


def run_emulator(options: argparse.Namespace) -> int:
    """Run a service until SIGINT or SIGTERM; says first which variables point boto3 at it."""
    done = threading.Event()
    before = [signal.signal(n, lambda *_: done.set()) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        with LambdaEmulator(
            port=options.port,
            concurrency=options.concurrency,
            s3_endpoint_url=options.s3_endpoint_url,
            pythons=_interpreters(options.python),
            logs=options.logs,
        ) as emulator:
            for name, value in emulator.environment().items():
                print(f"export {name}={value}", flush=True)
            done.wait()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    return 0


def _interpreters(given: list[str]) -> dict[str, str]:
    """Read the interpreters."""
    for text in given:
        if not all(text.partition("=")):
            raise ConfigurationError(f"--python must be RUNTIME=PATH, not {text!r}")
    return dict(text.split("=", 1) for text in given)
