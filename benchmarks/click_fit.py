"""Time to a held-out loss on Criteo-shaped clicks: ours, SGDClassifier, Vowpal Wabbit.

The targets are the losses that SGDClassifier and Vowpal Wabbit reach at the best of their
settings. Each side is timed at its shortest whole fit, ingest included, that reaches a
target: ``fit(X, y)`` on a CSR matrix for SGDClassifier and us, a fit from a ready cache
and one from text for Vowpal Wabbit. All run from one process, one after the other.

    python benchmarks/click_fit.py            # SGDClassifier at the best setting known
    python benchmarks/click_fit.py --sweep    # search its settings (half an hour)
    python benchmarks/click_fit.py --cirrus '{"solver": "ftrl"}' --cirrus '{}'
    python benchmarks/click_fit.py --rows 5000000 --repeats 1 --vw-rates 0.5 --vw-passes 1 2
"""

import argparse
import json
import tempfile

import click_sgd
from click_data import draw_clicks
from click_vw import DEFAULT_RATE, PASSES, RATES, VowpalWabbit
from machine import describe_machine, print_report, quantiles, say

SIDES = ("sgd", "vw", "cirrus")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000, help="rows to train on")
    parser.add_argument("--held-out", type=int, default=100_000, help="rows to judge by")
    parser.add_argument("--bits", type=int, default=20, help="2**bits columns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5, help="of each whole fit")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--sweep", action="store_true", help="search SGDClassifier's settings")
    parser.add_argument("--vw-rates", type=float, nargs="+", default=RATES, help="to try")
    parser.add_argument("--vw-passes", type=int, nargs="+", default=PASSES, help="to try")
    parser.add_argument("--max-epochs", type=int, default=20, help="of a fit in a search")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--cirrus", type=json.loads, action="append", metavar="JSON",
        help="parameters of CirrusLogisticRegression to try; may be repeated",
    )  # fmt: skip
    parser.add_argument("--target", type=float, help="one more held-out loss to reach")
    options = parser.parse_args(arguments)
    if options.sides == ["cirrus"] and options.target is None:
        parser.error("cirrus alone needs a --target")
    if DEFAULT_RATE not in options.vw_rates:
        parser.error(f"--vw-rates must have the default, {DEFAULT_RATE}, among them")
    return options


def repeat(fit, times):
    """Run a fit several times; return the spread of seconds and of loss."""
    fits = [fit(i) for i in range(times)]
    return {key: quantiles([entry[key] for entry in fits]) for key in ("seconds", "loss")}


def shortest(fits, target):
    """The quickest of the fits that reach the target, or None."""
    good = [entry for entry in fits if entry["loss"] <= target]
    return min(good, key=lambda entry: entry["seconds"], default=None)


def run_sgd(clicks, options):
    """Find the setting if asked to, then time its whole fit with different seeds."""
    found = {}
    setting = click_sgd.BEST
    if options.sweep:
        curves = click_sgd.sweep(clicks, options.max_epochs, options.seed)
        setting = click_sgd.choose(curves)
        found = {"curves": curves}
    say(f"sgd, whole fits: {setting}")
    whole = repeat(lambda i: click_sgd.fit(clicks, setting, options.seed + i), options.repeats)
    return {"setting": setting, "whole_fit": whole, **found}


def run_vw(vw, fits, targets, options):
    """For each target, time the shortest fit that reaches it, at any rate and at the default."""
    results, timed = {}, {}
    for target, loss in targets.items():
        for rates in ("any_rate", "default_rate"):
            wanted = [e for e in fits if rates == "any_rate" or e["rate"] == DEFAULT_RATE]
            choice = shortest(wanted, loss)
            result = None
            if choice:
                rate, passes = choice["rate"], choice["passes"]
                result = {"rate": rate, "passes": passes}
                for source in ("from_cache", "from_text"):
                    key = rate, passes, source  # one fit may be the shortest for many targets
                    if key not in timed:
                        timed[key] = repeat(lambda i, key=key: vw.fit(*key), options.repeats)
                    result[source] = timed[key]
            results[f"{target}_{rates}"] = result
    return results


def run_cirrus(clicks, options, targets):
    """For each set of parameters and target, time the shortest fit that reaches it."""
    from click_cirrus import fit, reach

    def again(setting, epochs):
        def fit_once(i):
            return fit(clicks, setting, epochs, options.workers, options.seed + i)

        return repeat(fit_once, options.repeats)

    results = []
    for setting in options.cirrus or [{}]:
        hardest = min(targets.values())
        fits = reach(clicks, setting, hardest, options.max_epochs, options.workers, options.seed)
        result = {"setting": setting, "fits": fits}
        for target, loss in targets.items():
            choice = shortest([entry for entry in fits if "cold" not in entry], loss)
            result[target] = choice and {
                "max_iter": choice["max_iter"],
                "whole_fit": again(setting, choice["max_iter"]),
            }
        results.append(result)
    return results


def ratios(results):
    """For each target, how many of our fastest times the others take; None: never there."""
    table = {}
    for target in results["targets"]:
        ours = [entry[target] for entry in results["cirrus"] if entry[target]]
        if not ours:
            continue
        seconds = min(entry["whole_fit"]["seconds"]["median"] for entry in ours)
        if target == "sgd_best" and "sgd" in results:
            whole = results["sgd"]["whole_fit"]["seconds"]["median"]
            table[f"{target}: sgd"] = whole / seconds
        for name, entry in results.get("vw", {}).get("to_target", {}).items():
            if name.startswith(target):
                for source in ("from_cache", "from_text"):
                    value = entry and entry[source]["seconds"]["median"] / seconds
                    table[f"{name}: vw {source}"] = value
    return table


def main():
    options = parse()
    machine = describe_machine()
    clicks = draw_clicks(options.rows, options.held_out, 2**options.bits, options.seed)
    say(f"constant {clicks.constant_loss:.4f}, Bayes {clicks.bayes_loss:.4f}")
    results = {"constant_loss": clicks.constant_loss, "bayes_loss": clicks.bayes_loss}
    results["targets"] = targets = {}
    if options.target is not None:
        targets["given"] = options.target
    if "sgd" in options.sides:
        results["sgd"] = run_sgd(clicks, options)
        targets["sgd_best"] = results["sgd"]["whole_fit"]["loss"]["median"]
    if "vw" in options.sides:
        with tempfile.TemporaryDirectory(prefix="click_fit_") as folder:
            vw = VowpalWabbit(clicks, options.bits, folder)
            fits = vw.sweep(options.vw_rates, options.vw_passes)
            default = next(entry for entry in fits if entry["rate"] == DEFAULT_RATE)
            targets["vw_best"] = fits[0]["loss"] + click_sgd.HAIR
            targets["vw_default"] = default["loss"] + click_sgd.HAIR
            results["vw"] = {
                "text_seconds": vw.text_seconds,
                "sweep": fits,
                "to_target": run_vw(vw, fits, targets, options),
            }
    if "cirrus" in options.sides:
        results["cirrus"] = run_cirrus(clicks, options, targets)
        results["times_our_seconds"] = ratios(results)
    print_report("click_fit", machine, vars(options), results)


if __name__ == "__main__":
    main()
