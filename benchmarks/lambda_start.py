"""Seconds from ``fit`` to the first gradient on the emulated Lambda, and rows a second.

``start``: whole fits on a function that has never run (cold: processes start, unpacked code is
imported) and again on the same function (warm). The first gradient is there when the server has
applied an update; a thread asks it every millisecond. ``rates``: rows a second with more and more
workers, of the whole fit and of its later epochs.

The zip is unpacked when the function is made, as Lambda keeps unpacked code for its machines; what
Lambda needs to find a machine and fetch the code to it is not here.

    python benchmarks/lambda_start.py
    python benchmarks/lambda_start.py --workers 1 2 4 8 --repeats 5
"""

import argparse
import statistics

import ladder_ours
from click_data import draw_clicks
from emulated_cloud import add_arguments, open_cloud
from machine import describe_machine, print_report, quantiles, say


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000, help="rows to train on")
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate of AdaGrad")
    parser.add_argument("--epochs", type=int, default=3, help="of each fit of the rates")
    parser.add_argument("--buffer-mib", type=float, default=256, help="of a worker, for blocks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the later ones are timed apart")
    return options


def fit(cloud, function, clicks, options, workers, epochs=2):
    """Fit and return the course."""
    return ladder_ours.fit(
        *(cloud, function, clicks, options),
        prefetch=True,
        epochs=epochs,
        n_workers=workers,
        watch=False,
    )


def measure_start(cloud, clicks, options, workers):
    """Fit on functions that are new, and at once again; return the seconds."""
    seconds = {"cold": [], "warm": []}
    init = []
    for repeat in range(options.repeats):
        function = f"start-{workers}-{repeat}"
        cloud.deploy(function)
        for kind, spread in seconds.items():
            spread.append(fit(cloud, function, clicks, options, workers).first)
            if spread[-1] is None:
                raise SystemExit("a fit was over before its first update was seen: more --rows")
            say(f"{workers} workers, {kind}: {spread[-1]:.3f} s to the first gradient")
        init += [i.init_ms / 1000 for i in cloud.emulator.invocations(function) if i.init_ms]
    result = {f"{kind}_seconds": quantiles(spread) for kind, spread in seconds.items()}
    return {"workers": workers} | result | {"init_seconds": quantiles(init)}


def measure_rates(cloud, clicks, options):
    """Fit with every number of workers in turn, several times."""
    fit(cloud, "first", clicks, options, max(options.workers))
    fits = {workers: [] for workers in options.workers}
    for _ in range(options.repeats):
        for workers, courses in fits.items():
            courses.append(fit(cloud, "first", clicks, options, workers, options.epochs))
    results = []
    for workers, courses in fits.items():
        result = {
            "workers": workers,
            "whole_fit_rows_per_second": quantiles([course.rows for course in courses]),
            "later_epochs_rows_per_second": quantiles([course.later_rows for course in courses]),
            "updates_per_second": statistics.median(course.steady for course in courses),
        }
        say(
            f"{workers} workers: {result['whole_fit_rows_per_second']['median']:,.0f} rows/s, "
            f"later epochs {result['later_epochs_rows_per_second']['median']:,.0f}"
        )
        results.append(result)
    return results


def main():
    options = parse()
    machine = describe_machine()
    clicks = draw_clicks(options.rows, 1000, 2**options.bits, options.seed)
    with open_cloud(options) as cloud:
        cloud.deploy("first")  # the client's own imports are not Lambda's start
        fit(cloud, "first", clicks, options, 1)
        starts = [measure_start(cloud, clicks, options, n) for n in options.workers]
        results = {
            "zipped_bytes": cloud.bundle.stat().st_size,
            "start": starts,
            "rates": measure_rates(cloud, clicks, options),
        }
    print_report("lambda_start", machine, vars(options), results)


if __name__ == "__main__":
    main()
