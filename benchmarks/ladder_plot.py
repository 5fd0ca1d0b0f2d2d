"""Table and plot of ``lambda_ladder.py``, from its report or from the run itself.

python benchmarks/ladder_plot.py ladder.json --plot ladder.svg
"""

import argparse
import json
from pathlib import Path

from machine import say


def table(rungs):
    """Return a Markdown table.

    Parameters
    ----------
    rungs : list of dict
        As in the report's ``rungs``.

    Returns
    -------
    str
    """
    base = rungs[0]["steady_updates_per_second"]
    target = min(point["loss"] for point in rungs[0]["curve"])
    lines = [
        "| | updates/s | of rung 0 | gradients/s | best held-out loss | after seconds "
        f"| seconds to {target:.4f} |",
        "|---|---|---|---|---|---|---|",
    ]
    for rung in rungs:
        rate = rung["steady_updates_per_second"]
        gradients = rung["gradients"] / rung["updates"] * rate
        best = min(rung["curve"], key=lambda point: point["loss"])
        there = [point["seconds"] for point in rung["curve"] if point["loss"] <= target]
        lines.append(
            f"| {rung['name']} | {rate:,.1f} | {rate / base:,.1f} | {gradients:,.1f} "
            f"| {best['loss']:.4f} | {best['seconds']:.2f} "
            f"| {f'{there[0]:.2f}' if there else 'not reached'} |"
        )
    return "\n".join(lines)


def plot(results, path):
    """Draw updates a second and loss against time into a file.

    Parameters
    ----------
    results : dict
        The report's.
    path : str
        Its ending is the format: ``.png``, ``.svg`` or another of matplotlib's.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rungs = results["rungs"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4), layout="constrained")
    colours = [f"C{number}" for number in range(len(rungs))]
    names = [rung["name"] for rung in rungs]
    rates = [rung["steady_updates_per_second"] for rung in rungs]
    bars = left.barh(names, rates, color=colours)
    left.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3)
    left.set(xscale="log", xlabel="model updates per second", xlim=(min(rates) / 2, max(rates) * 4))
    left.invert_yaxis()
    for rung, colour in zip(rungs, colours, strict=True):
        curve = [point for point in rung["curve"] if point["seconds"] > 0]
        seconds = [point["seconds"] for point in curve]
        right.plot(seconds, [point["loss"] for point in curve], color=colour)
    right.axhline(results["bayes_loss"], color="grey", linestyle=":", label="true probabilities")
    right.axhline(results["constant_loss"], color="grey", linestyle="--", label="constant")
    right.set_title("colours as on the left", fontsize="small")
    right.set(xscale="log", xlabel="seconds since the start", ylabel="held-out log loss")
    right.set_ylim(top=1.1 * results["constant_loss"])
    right.legend(fontsize="small", loc="upper right")
    figure.savefig(path)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    results = json.loads(options.report.read_text())["results"]
    say(table(results["rungs"]))
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
