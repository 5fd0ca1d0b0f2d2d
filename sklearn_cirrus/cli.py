"""The command ``sklearn-cirrus``: what it is asked, and who answers."""

import argparse
import logging
import sys
from importlib import metadata
from pathlib import Path

from .bundle import command as bundle_command
from .dashboard import _command as dashboard_command
from .deploy import command as deploy_command
from .exceptions import CirrusError


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="sklearn-cirrus",
        description="scikit-learn estimators that train on serverless workers.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('sklearn-cirrus')}"
    )
    parser.add_argument("--debug", action="store_true", help="log everything to standard error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="train on real data here and compare with scikit-learn",
        description="Train CirrusLogisticRegression on real data, with worker processes and an "
        "embedded parameter server on this machine, and compare it with scikit-learn.",
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds a9a and a9a.t in LIBSVM format (default: $CIRRUS_DATA, else "
        "../shared/data; the demo does without when they are not there)",
    )
    demo.add_argument("--workers", type=_positive, default=2, help="worker processes (default: 2)")

    commands.add_parser(
        "doctor",
        help="say what would be used, what is missing and how to mend it",
        description="Try every part that a fit needs. The exit status is 1 when one is missing.",
    )

    dashboard_command.add_arguments(
        commands.add_parser(
            "dashboard",
            help="show runs and searches in a browser, while they go on and afterwards",
            description="Serve a page on 127.0.0.1 that shows the runs and searches of all your "
            "processes, until it is interrupted. It prints the address, which holds a token: "
            "whoever has it may look, and stop runs. Needs the extra `dashboard`.",
        )
    )

    deploy_command.add_deploy_arguments(
        commands.add_parser(
            "deploy",
            help="put up on AWS what fits need, or change it",
            description="Put up on AWS what fits need: a bucket, roles, functions and, if asked, "
            "a parameter server. Run again, it changes what differs; an option that is not given "
            "stays as it was deployed.",
        )
    )
    deploy_command.add_destroy_arguments(
        commands.add_parser(
            "destroy",
            help="remove from AWS all that deploy has put up",
            description="Remove from AWS all that bears the tag of the stack. Cut off or failed, "
            "it goes on where it was when it is run again.",
        )
    )

    emulate = commands.add_parser(
        "emulate",
        help="run a Lambda service on this machine, for tests",
        description="Run a Lambda service on 127.0.0.1 that boto3 talks to, until it is "
        "interrupted. It prints the variables that point boto3 at it. Needs the extra `emulate`.",
    )
    emulate.add_argument("--port", type=int, default=0, help="default: a free one")
    emulate.add_argument(
        "--concurrency", type=int, default=1000, help="the account's limit (default: 1000)"
    )
    emulate.add_argument(
        "--s3-endpoint-url",
        metavar="URL",
        help="where zips and functions find S3 (default: AWS_ENDPOINT_URL_S3)",
    )
    emulate.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="RUNTIME=PATH",
        help="the interpreter of a runtime, as python3.13=/usr/bin/python3.13; may be repeated",
    )
    emulate.add_argument("--logs", type=Path, metavar="DIR", help="keep the functions' logs here")

    bundle_command.add_arguments(
        commands.add_parser(
            "bundle",
            help="build the zip file that workers on AWS Lambda run",
            description="Build the zip file that workers on AWS Lambda run (or, with --task, tasks "
            "of joblib), and print its size and the time of its import beside Lambda's limits.",
        )
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0 when all went well, 1 when something is missing or failed.
    """
    options = build_parser().parse_args(arguments)
    if options.debug:
        logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
        for name in ("sklearn_cirrus", "cirrus_runtime"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    # What a command needs is imported here, so that --help and --version answer at once.
    try:
        if options.command == "doctor":
            from ._doctor import run_doctor

            return run_doctor()
        if options.command == "dashboard":
            return dashboard_command.run_dashboard(options)
        if options.command == "deploy":
            return deploy_command.run_deploy(options)
        if options.command == "destroy":
            return deploy_command.run_destroy(options)
        if options.command == "emulate":
            from .emulator._command import run_emulator

            return run_emulator(options)
        if options.command == "bundle":
            return bundle_command.run_bundle(options)
        from ._demo import run_demo

        run_demo(options.data, options.workers)
    except CirrusError as error:
        if options.debug:
            raise
        print(f"sklearn-cirrus: {error}", file=sys.stderr)
        print("`sklearn-cirrus doctor` says what is missing.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _positive(text: str) -> int:
    """Read a number of workers."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
