"""``sklearn-cirrus deploy`` and ``sklearn-cirrus destroy``."""

import argparse
import json
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

from ..exceptions import ConfigurationError
from .options import ARCHITECTURES, PYTHONS, Options
from .record import default_stack


def add_deploy_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of deploy."""
    _add_place(parser)
    add = parser.add_argument
    add("--memory", type=int, metavar="MB", help="of each function (default: 1769)")
    add("--timeout", type=int, metavar="SECONDS", help="of an invocation (default: 900)")
    add("--architecture", choices=ARCHITECTURES, help="default: arm64")
    add("--python", choices=PYTHONS, help="Lambda's Python (default: the running one)")
    add(
        "--concurrency",
        type=int,
        metavar="N",
        help="reserve N invocations at the same time for each function (default and 0: none)",
    )
    add("--tmp-size", type=int, metavar="MB", help="of /tmp (default: 512)")
    server = parser.add_mutually_exclusive_group()
    server.add_argument(
        "--redis-url",
        metavar="URL",
        help="a parameter server that runs already: rediss://user:password@host:port/0, or - to "
        "read it from standard input, so that it is in no list of processes",
    )
    server.add_argument(
        "--server-instance",
        metavar="TYPE",
        help="make a host for the parameter server: a Graviton type such as t4g.medium",
    )
    server.add_argument(
        "--no-server", action="store_true", help="make none; redis_url is configured by the client"
    )
    add(
        "--client-cidr",
        metavar="RANGE",
        help="give the host a public address that this range may reach, such as 203.0.113.7/32; "
        "none takes it away",
    )
    add("--subnets", metavar="IDS", help="of an own VPC for the functions, with commas between")
    add("--security-groups", metavar="IDS", help="of the functions there, with commas between")
    add("--bundle", type=Path, metavar="FILE", help="the worker's zip file (default: build it)")
    add("--task-bundle", type=Path, metavar="FILE", help="also deploy a function for joblib tasks")
    add(
        "--module",
        type=Path,
        metavar="FILE",
        help="cirrus.so for the host, for aarch64 (default: build it)",
    )
    add("--dry-run", action="store_true", help="only say what would be done and what it costs")
    add("--template", type=Path, metavar="FILE", help="only write it as a CloudFormation template")


def add_destroy_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of destroy."""
    _add_place(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _add_place(parser: argparse.ArgumentParser) -> None:
    """Describe the options that say which stack is meant."""
    parser.add_argument(
        "--stack", default=default_stack(), help="its name (default: $CIRRUS_STACK, else cirrus)"
    )
    parser.add_argument("--region", help="default: the one that AWS is configured for")


def run_deploy(options: argparse.Namespace) -> int:
    """Deploy, or say what would be done, or write the template.

    Returns
    -------
    int
        The exit status.
    """
    choices = _choices(options)
    if options.template:
        return _write_template(options, choices)
    from .estimate import describe_costs
    from .operations import deploy

    url = options.redis_url
    if url == "-":
        url = sys.stdin.readline().strip()
    outcome = deploy(
        options.stack,
        options.region,
        dry_run=options.dry_run,
        redis_url=url,
        bundle=options.bundle,
        task_bundle=options.task_bundle,
        module=options.module,
        report=lambda sentence: print(sentence, flush=True),
        **choices,
    )
    if options.dry_run:
        for step in outcome.steps:
            print(step)
        counts = Counter(step.action for step in outcome.steps)
        print(", ".join(f"{count} to {action}" for action, count in sorted(counts.items())))
    elif not outcome.changed:
        print(f"the stack {options.stack} is as it should be: nothing was changed")
    for line in describe_costs(outcome.names.region, outcome.options):
        print(line)
    if not options.dry_run:
        print(f"fits run on it with CIRRUS_BACKEND=lambda CIRRUS_STACK={options.stack}")
    return 0


def _choices(options: argparse.Namespace) -> dict:
    """Return the choices that were made, as fields of Options; the others are None."""
    server = None
    if options.server_instance:
        server = "host"
    elif options.redis_url:
        server = "url"
    elif options.no_server:
        server = "none"
    return {
        "memory": options.memory,
        "timeout": options.timeout,
        "architecture": options.architecture,
        "python": options.python,
        "concurrency": options.concurrency,
        "tmp_size": options.tmp_size,
        "server": server,
        "instance": options.server_instance,
        "client_cidr": options.client_cidr,
        "subnets": _ids(options.subnets),
        "security_groups": _ids(options.security_groups),
    }


def _ids(text: str | None) -> tuple[str, ...] | None:
    """Read ids with commas between."""
    if text is None:
        return None
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _write_template(options: argparse.Namespace, choices: dict) -> int:
    """Write the stack as a CloudFormation template; AWS is not asked."""
    from .template import make_template

    if choices["server"] is None:
        raise ConfigurationError(
            "--template needs --server-instance, --redis-url or --no-server: it does not ask AWS "
            "what is deployed"
        )
    if options.task_bundle:
        choices["task"] = True
    chosen = Options().changed(**choices)
    template = make_template(options.stack, chosen, metadata.version("sklearn-cirrus"))
    try:
        options.template.write_text(json.dumps(template, indent=2) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{options.template} cannot be written: {error}") from error
    print(f"{len(template['Resources'])} resources written to {options.template}")
    return 0


def run_destroy(options: argparse.Namespace) -> int:
    """Ask, then remove all of a stack.

    Returns
    -------
    int
        The exit status: 1 if the answer was not yes.
    """
    from .operations import destroy

    if not options.yes:
        steps = destroy(options.stack, options.region, dry_run=True)
        for step in steps:
            print(step)
        question = f"remove the stack {options.stack}, its runs and checkpoints? [yes/no] "
        if not steps:
            question = "no resource bears its tag; remove what else may be left of it? [yes/no] "
        try:
            answer = input(question)
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            print("nothing was removed")
            return 1
    steps = destroy(
        options.stack, options.region, report=lambda sentence: print(sentence, flush=True)
    )
    if not steps:
        print(f"there is nothing of a stack {options.stack} here")
    return 0
