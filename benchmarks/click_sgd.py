"""scikit-learn's SGDClassifier on clicks: which setting is its best, and how long that takes.

It is given the data as float32 and as float64. In float32 it shrinks the weights by
1 - eta * alpha, which is 1 for the small penalties that suit clicks; in float64 the
penalty works, at twice the memory.
"""

import time

from machine import say
from sklearn.linear_model import SGDClassifier

# The best found for 500,000 rows and seed 0, by a search over part of the grid of --sweep;
# other sizes want a sweep of their own.
BEST = {
    "dtype": "float64", "learning_rate": "constant", "eta0": 0.01, "alpha": 3e-6, "average": 1,
    "max_iter": 8,
}  # fmt: skip
# A fit this much worse than the very best counts as best too, if it is the shortest such:
# the last 0.0002 of a curve that has gone flat would double the time.
HAIR = 2e-4


def settings():
    """Yield the settings of the sweep: every schedule, each over its own sensible range."""
    for alpha in (1e-6, 3e-6, 1e-5, 3e-5, 1e-4):
        yield {"learning_rate": "optimal", "alpha": alpha}
    for alpha in (1e-7, 1e-6, 3e-6, 1e-5):
        for eta0 in (0.003, 0.01, 0.03, 0.1):
            yield {"learning_rate": "constant", "eta0": eta0, "alpha": alpha}
        for power_t in (0.1, 0.25, 0.5):
            for eta0 in (0.03, 0.1, 0.3, 1.0):
                yield {
                    "learning_rate": "invscaling", "eta0": eta0, "power_t": power_t, "alpha": alpha
                }  # fmt: skip
        for average in (1, 500_000):
            for eta0 in (0.005, 0.01, 0.03):
                yield {
                    "learning_rate": "constant", "eta0": eta0, "alpha": alpha, "average": average
                }  # fmt: skip
        for eta0 in (0.01, 0.03):
            # Only a whole fit lowers the rate of this schedule, when training stalls.
            yield {
                "learning_rate": "adaptive", "eta0": eta0, "alpha": alpha, "tol": 1e-2,
                "n_iter_no_change": 1, "max_iter": 30,
            }  # fmt: skip


def curve(X, clicks, setting, max_epochs, seed):
    """Return seconds of training on X and held-out loss after each epoch.

    Stops when the loss has not improved for two epochs. A setting that says max_iter is
    fitted whole, and gives one point.
    """
    model = SGDClassifier(loss="log_loss", random_state=seed, **setting)
    points, seconds = [], 0.0
    for epoch in range(1, max_epochs + 1):
        start = time.perf_counter()
        if "max_iter" in setting:
            model.fit(X, clicks.y)
        else:
            model.partial_fit(X, clicks.y, classes=[0, 1])
        seconds += time.perf_counter() - start
        loss = clicks.loss(model.predict_proba(clicks.X_held))
        points.append({"epochs": epoch, "seconds": round(seconds, 4), "loss": loss})
        if "max_iter" in setting:
            points[0]["epochs"] = int(model.n_iter_)
            break
        if min(range(epoch), key=lambda i: points[i]["loss"]) < epoch - 2:
            break
    return points


def sweep(clicks, max_epochs, seed):
    """Return the curves of all settings in both dtypes, best first."""
    curves = []
    for dtype in ("float64", "float32"):
        X = clicks.X.astype(dtype, copy=False)
        for setting in settings():
            points = curve(X, clicks, setting, max_epochs, seed)
            best = min(points, key=lambda point: point["loss"])
            say(f"sgd {dtype} {setting}: {best}")
            curves.append({"dtype": dtype, "setting": setting, "best": best, "curve": points})
    return sorted(curves, key=lambda entry: entry["best"]["loss"])


def choose(curves):
    """The setting of the shortest whole fit that is as good as the best, give or take a hair."""
    enough = curves[0]["best"]["loss"] + HAIR
    good = [
        (point["seconds"], index, point["epochs"])
        for index, entry in enumerate(curves)
        for point in entry["curve"]
        if point["loss"] <= enough
    ]
    _, index, epochs = min(good)
    chosen = curves[index]
    return {"dtype": chosen["dtype"], "max_iter": epochs, "tol": None} | chosen["setting"]


def fit(clicks, setting, seed):
    """Fit whole; return seconds and held-out loss. The conversion to a dtype is not timed."""
    parameters = {"tol": None} | setting
    X = clicks.X.astype(parameters.pop("dtype"), copy=False)
    model = SGDClassifier(loss="log_loss", random_state=seed, **parameters)
    start = time.perf_counter()
    model.fit(X, clicks.y)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "loss": clicks.loss(model.predict_proba(clicks.X_held))}
