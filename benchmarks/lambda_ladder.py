"""Model updates a second, and loss against time: synchronous SGD on a serverless map, and ours.

The comparison of the Cirrus papers. Rung 0 is what a user of a general serverless map would write:
for every update of the model the driver invokes each worker anew, which reads the whole model and
its minibatch from the object store and puts its gradient there. Then one improvement after the
other: invocations that stay for the whole run; model and gradients in Redis; several gradients of
each worker in a round. Then whole fits of ours, without and with prefetching. All have the same
rows, minibatches of the same size, the same number of workers, the same solver (AdaGrad, same
rate, no penalty), and run on the same emulated Lambda, S3 and Redis, in turns.

    python benchmarks/lambda_ladder.py --plot ladder.svg > ladder.json
    python benchmarks/lambda_ladder.py --workers 8 --batch-size 1000
"""

import argparse
import statistics
import time

import ladder_ours
from click_data import draw_clicks
from emulated_cloud import BUCKET, add_arguments, open_cloud
from ladder_driver import FILES, HANDLER, Driver, Rung, put_rows
from ladder_plot import plot, table
from machine import describe_machine, print_report, quantiles, say
from scipy.special import expit

_OURS = {"ours, without prefetching": False, "ours, with prefetching": True}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="rows to train on")
    parser.add_argument("--held-out", type=int, default=20_000)
    parser.add_argument("--bits", type=int, default=18, help="2**bits columns")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate of AdaGrad")
    parser.add_argument("--each", type=int, default=10, help="gradients of a round, rung 3")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a rung")
    parser.add_argument("--epochs", type=int, default=5, help="of a fit")
    parser.add_argument("--buffer-mib", type=float, default=0.0, help="of a worker, for blocks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", metavar="FILE", help="draw both figures, as .svg or .png")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the later ones are timed apart")
    return options


def measure(cloud, clicks, options):
    """Run every rung and every fit in turn, several times. Return the courses by name."""
    say("putting the rows into the store")
    data = {}
    for each in {1, options.each}:
        size = each * options.batch_size
        data[each] = f"data-{each}/", put_rows(cloud, clicks.X, clicks.y, f"data-{each}/", size)
    cloud.deploy("ladder", FILES, HANDLER)
    cloud.deploy("worker")
    rungs = [
        Rung("0: an invocation for each gradient, through the store", "call"),
        Rung("1: invocations that stay", "stay"),
        Rung("2: model and gradients in Redis", "redis"),
        Rung(f"3: {options.each} gradients in a round", "redis", options.each),
    ]
    courses = {name: [] for name in [*(rung.name for rung in rungs), *_OURS]}
    driver = Driver(
        *(cloud, "ladder", clicks.X.shape[1], options.workers, data),
        *(options.rate, 1.0 / options.batch_size),
    )
    try:
        # Every process of a function starts once before anything is timed, and so does ours.
        driver.run(rungs[0], 0.0)
        ladder_ours.fit(cloud, "worker", clicks, options, prefetch=True, epochs=2, watch=False)
        for _ in range(options.repeats):
            for rung in rungs:
                courses[rung.name].append(driver.run(rung, options.seconds))
                say(f"{rung.name}: {courses[rung.name][-1].steady:,.1f} updates/s")
            for name, prefetch in _OURS.items():
                course = ladder_ours.fit(
                    cloud, "worker", clicks, options, prefetch=prefetch, epochs=options.epochs
                )
                courses[name].append(course)
                say(f"{name}: {course.steady:,.1f} updates/s")
    finally:
        driver.close()
    return courses


def time_store(cloud, options):
    """Return the seconds of a request to the store, when there is no other: small and a model."""
    results = {}
    for name, size in (("small", 4000), ("model", 4 * 2**options.bits)):
        where = {"Bucket": BUCKET, "Key": "measured"}
        puts, gets = [], []
        for _ in range(20):
            start = time.perf_counter()
            cloud.s3.put_object(**where, Body=bytes(size))
            put = time.perf_counter()
            cloud.s3.get_object(**where)["Body"].read()
            puts.append(put - start)
            gets.append(time.perf_counter() - put)
        results[name] = {"bytes": size, "put": quantiles(puts), "get": quantiles(gets)}
    return results


def summarize(name, courses, clicks):
    """Return what the report says of a rung; the curve is that of the median repeat."""
    rates = [course.steady for course in courses]
    course = min(courses, key=lambda course: abs(course.steady - statistics.median(rates)))
    curve = []
    for seconds, updates, weights in course.samples:
        p = expit(clicks.X_held @ weights[:-1] + weights[-1])
        curve.append({"seconds": seconds, "updates": updates, "loss": clicks.loss(p)})
    return {
        "name": name,
        "steady_updates_per_second": statistics.median(rates),
        "spread": quantiles(rates),
        "whole_updates_per_second": statistics.median(c.updates / c.seconds for c in courses),
        "updates": course.updates,
        "gradients": course.gradients,
        "seconds": course.seconds,
        "stages": course.stages,
        "seconds_to_first_update": course.first,
        "curve": curve,
    }


def main():
    options = parse()
    machine = describe_machine()
    clicks = draw_clicks(options.rows, options.held_out, 2**options.bits, options.seed)
    with open_cloud(options) as cloud:
        store = time_store(cloud, options)
        courses = measure(cloud, clicks, options)
    rungs = [summarize(name, repeats, clicks) for name, repeats in courses.items()]
    first, ours = rungs[0], rungs[-1]
    results = {
        "constant_loss": clicks.constant_loss,
        "bayes_loss": clicks.bayes_loss,
        "store_request_seconds": store,
        "rungs": rungs,
        "table": table(rungs).split("\n"),
        # The whole fit, start and ingest included, against a rung 0 that is warm.
        "whole_fit_over_first_rung": (
            ours["whole_updates_per_second"] / first["steady_updates_per_second"]
        ),
        "over_first_rung": ours["steady_updates_per_second"] / first["steady_updates_per_second"],
    }
    say(table(rungs))
    say(f"ours, the whole fit, over rung 0: {results['whole_fit_over_first_rung']:.0f}")
    if options.plot:
        plot(results, options.plot)
    print_report("lambda_ladder", machine, vars(options), results)


if __name__ == "__main__":
    main()
