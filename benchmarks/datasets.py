"""From a raw log of clicks to an evaluated model, by workers: time and memory of every stage.

A file in the format of the Criteo challenge is made up, loaded, hashed, split, trained on and
evaluated; loading is compared with pandas' and polars' readers, scaling with scikit-learn. The
place of files and blocks is a folder, an S3 (moto, in a process of its own), or that S3 with
workers on the emulated Lambda.

    python benchmarks/datasets.py
    python benchmarks/datasets.py --rows 10000000
    python benchmarks/datasets.py --places s3 lambda --rows 200000 --without readers scalers
    python benchmarks/datasets.py --rows 56000000 --epochs 1 --buffer-mib 32 --worker-mib 512 \
        --without readers scalers

The last one makes 20 GB of blocks out of 14 GB of log, and needs 36 GB of disk.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from uuid import uuid4

from dataset_rivals import compare_loading, compare_scalers
from dataset_stages import run_pipeline
from emulated_cloud import BUCKET, add_arguments, open_cloud
from machine import describe_machine, print_report, say
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import config_context

PLACES = ("folder", "s3", "lambda")
MIB = 2**20


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--places", nargs="+", choices=PLACES, default=["folder"])
    parser.add_argument("--without", nargs="+", choices=("readers", "scalers"), default=[])
    parser.add_argument("--compare-rows", type=int, default=500_000, help="of readers and scalers")
    parser.add_argument("--repeats", type=int, default=3, help="of readers and scalers")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--C", type=float, default=0.05)
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--buffer-mib", type=int, default=256, help="of a worker")
    parser.add_argument("--cache-mib", type=int, default=256, help="of a worker, on disk")
    parser.add_argument("--worker-mib", type=int, help="limit of a worker's address space")
    parser.add_argument("--block-mib", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="of files and blocks; by default a temporary one")
    add_arguments(parser)
    return parser.parse_args(arguments)


def measure(place, folder, options, cloud):
    """Run the pipeline at a place."""
    path = folder / "clicks.tsv"
    more = {
        "n_workers": options.workers,
        "buffer_bytes": options.buffer_mib * MIB,
        "cache_bytes": options.cache_mib * MIB,
        "block_bytes": options.block_mib * MIB,
        "checkpoint_seconds": None,
    }
    if place == "folder":
        with config_context(**more):
            return run_pipeline(path, f"file://{folder}/blocks", options)

    def put(path):
        cloud.s3.upload_file(str(path), BUCKET, path.name)
        return f"s3://{BUCKET}/{path.name}"

    if place == "lambda":
        more = cloud.settings("cirrus-worker", **more)
    with config_context(**more):
        return run_pipeline(path, f"s3://{BUCKET}/{uuid4().hex}", options, put)


def run(folder, options):
    """Return what was measured."""
    results = {"pipelines": {}}
    with contextlib.ExitStack() as ends:
        cloud = None
        if set(options.places) - {"folder"}:
            cloud = ends.enter_context(open_cloud(options))
        if "lambda" in options.places:
            cloud.deploy("cirrus-worker", timeout=900)
        for place in options.places:
            told = results["pipelines"][place] = measure(place, folder, options, cloud)
            tell(place, told)
            shutil.rmtree(folder / "blocks", ignore_errors=True)
            (folder / "clicks.tsv").unlink()
    # Afterwards: what pandas and polars take would count as the pipeline's memory.
    with config_context(n_workers=options.workers):
        if "readers" not in options.without:
            results["loading"] = compare_loading(folder, options)
        if "scalers" not in options.without:
            results["scalers"] = compare_scalers(options)
    return results


def tell(place, told):
    """Say what a pipeline took."""
    say(
        f"{place}: {told['rows']:,} rows in {told['seconds']:.1f} s; client"
        f" {told['client_peak_mb']:.0f} MB, worker {told['worker_peak_mb']:.0f} MB; log loss"
        f" {told['log_loss']:.4f} (constant {told['constant_log_loss']:.4f})"
    )
    for stage, values in told["stages"].items():
        rate = values.get("rows_per_second", 0)
        say(
            f"  {stage:9}{values['seconds']:8.1f} s {rate:12,.0f} rows/s   client"
            f" {values['client_peak_mb']:5.0f} MB  worker {values['worker_peak_mb']:5.0f} MB"
        )


def main():
    options = parse()
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("datasets.py reads the peak of a process from /proc, which only Linux has")
    machine = describe_machine()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with tempfile.TemporaryDirectory(prefix="cirrus-bench-", dir=options.folder) as folder:
        print_report("datasets", machine, vars(options), run(Path(folder), options))


if __name__ == "__main__":
    main()
