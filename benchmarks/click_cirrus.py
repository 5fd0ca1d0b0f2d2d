"""CirrusLogisticRegression on clicks: the shortest whole fit that reaches a loss."""

import time
import warnings

from machine import say
from sklearn.exceptions import ConvergenceWarning

from sklearn_cirrus import CirrusLogisticRegression, config_context


def fit(clicks, setting, max_iter, n_workers, seed):
    """Fit whole, with worker processes; return seconds, held-out loss and history."""
    model = CirrusLogisticRegression(
        max_iter=max_iter, n_workers=n_workers, random_state=seed, **setting
    )
    with config_context(backend="local"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop early is the point here
        start = time.perf_counter()
        model.fit(clicks.X, clicks.y)
        seconds = time.perf_counter() - start
    history = model.history_
    return {
        "max_iter": max_iter,
        "seconds": seconds,
        "loss": clicks.loss(model.predict_proba(clicks.X_held)),
        # By the time of the whole fit, and by that of its epochs, blocks written beside the first.
        "rows_per_second": sum(entry["rows"] for entry in history) / seconds,
        "rows_per_second_in_epochs": sum(entry["rows"] for entry in history)
        / history[-1]["seconds"],
        "updates_per_second_in_epochs": sum(entry["updates"] for entry in history)
        / history[-1]["seconds"],
        "history": history,
    }


def reach(clicks, setting, target, longest, n_workers, seed):
    """Fit with 1, 2, ... epochs until a fit reaches the target; return all of them.

    The first fit of the process also starts the server and the workers, so there is one
    before that is told apart: its seconds are the cold ones.
    """
    fits = [fit(clicks, setting, 1, n_workers, seed) | {"cold": True}]
    for max_iter in range(1, longest + 1):
        fits.append(fit(clicks, setting, max_iter, n_workers, seed))
        say(f"cirrus {setting}: {max_iter} epochs, loss {fits[-1]['loss']:.4f}")
        if fits[-1]["loss"] <= target:
            break
    return fits
