"""What a model must hold, by definition: float64, and a dense update of every row at every step.

This is the text of ``redis_module/model.h`` in numpy. It knows nothing of rows that sleep: a step
that does not name a row is a step on it with gradient zero (under adam and ftrl, whose state
advances only on named rows, a step of the penalty alone).
"""

import numpy as np


class DenseModel:
    """The oracle of one model.

    Parameters
    ----------
    spec : ModelSpec
    scale : ndarray of shape (rows,), optional
    """

    def __init__(self, spec, scale=None):
        f32 = {name: float(np.float32(getattr(spec, name))) for name in _NUMBERS}
        self.optimizer, self.beta1, self.beta2 = spec.optimizer, f32["beta1"], f32["beta2"]
        scale = np.ones(spec.rows) if scale is None else np.asarray(scale, np.float64)
        velocity = spec.optimizer in ("momentum", "nesterov")
        direct = velocity or spec.optimizer == "sgd"
        self.power = 2 * f32["power_t"] if spec.optimizer == "adagrad" else 1.0
        self.per_rate = (1 / scale ** (2 if direct else 2 - self.power))[:, None]
        self.eps = f32["eps"] * scale[:, None]
        penalized = (np.arange(spec.rows) < spec.penalized)[:, None]
        passed_on = 1 / (1 - self.beta1) if velocity else 1
        self.l1, self.l2 = (penalized * f32[name] * passed_on for name in ("l1", "l2"))
        shape = spec.rows, spec.width
        self.w, self.first, self.second = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.touches = np.zeros(shape)
        self.steps = 0

    def push(self, ids, grads, lr):
        """Take one step."""
        self.steps += 1
        named = np.zeros((len(self.w), 1), bool)
        named[ids] = True
        g = np.zeros_like(self.w)
        g[ids] = np.asarray(grads).reshape(len(ids), self.w.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            getattr(self, "_" + self.optimizer)(g, named, float(np.float32(lr)) * self.per_rate)

    def _proximal(self, w, rate):
        """Return the proximal operator of the penalty at a rate per coordinate."""
        size = (np.abs(w) - rate * self.l1) / (1 + rate * self.l2)
        return np.sign(w) * np.maximum(size, 0)

    def _sgd(self, g, named, rate):
        self.w = self._proximal(self.w - rate * g, rate)

    def _momentum(self, g, named, rate):
        self.first = self.beta1 * self.first + g
        self.w = self._proximal(self.w - rate * self.first, rate)

    def _nesterov(self, g, named, rate):
        self.first = self.beta1 * self.first + g
        self.w = self._proximal(self.w - rate * (g + self.beta1 * self.first), rate)

    def _adagrad(self, g, named, rate):
        self.first = self.first + g * g
        rate = rate / (np.sqrt(self.first) + self.eps) ** self.power
        self.w = np.where(self.first > 0, self._proximal(self.w - rate * g, rate), self.w)

    def _adam(self, g, named, rate):
        b1, b2 = self.beta1, self.beta2
        self.touches = self.touches + named
        self.first = np.where(named, b1 * self.first + (1 - b1) * g, self.first)
        self.second = np.where(named, b2 * self.second + (1 - b2) * g * g, self.second)
        mean = np.where(named, self.first / (1 - b1**self.touches), 0)
        rate = rate / (np.sqrt(self.second / (1 - b2**self.touches)) + self.eps)
        self.w = np.where(self.touches > 0, self._proximal(self.w - rate * mean, rate), self.w)

    def _ftrl(self, g, named, rate):
        """Named rows solve FTRL-Proximal's problem; the others take proximal steps of adagrad."""
        before = (np.sqrt(self.first) + self.eps) / rate
        squares = self.first + g * g
        after = (np.sqrt(squares) + self.eps) / rate
        t = self.steps
        # The sum of gradients is stated by the weight, unless that is zero.
        stated = -self.w * before - np.sign(self.w) * (t - 1) * self.l1
        z = np.where(self.w != 0, stated, self.second)
        z = z + g - (after - before) * self.w
        solved = -np.sign(z) * np.maximum(np.abs(z) - t * self.l1, 0) / (after + self.l2)
        slept = np.where(self.first > 0, self._proximal(self.w, 1 / before), self.w)
        arrived = ~named & (self.w != 0) & (slept == 0)
        self.second = np.where(named, z, self.second)
        if arrived.any():
            self.second = np.where(arrived, self._arrival(before), self.second)
        self.w = np.where(named, np.where(squares > 0, solved, self.w), slept)
        self.first = squares

    def _arrival(self, before):
        """Return the sum of gradients of a weight that reaches zero within this step.

        Reached after a part of the step, it is the L1 threshold of that moment.
        """
        a, b, size = self.l1 / before, self.l2 / before, np.abs(self.w)
        part = np.where(b > 0, np.log1p(size * b / np.where(a > 0, a, 1)) / np.log1p(b), size / a)
        return -np.sign(self.w) * (self.steps - 1 + np.minimum(part, 1)) * self.l1


_NUMBERS = ("l1", "l2", "beta1", "beta2", "eps", "power_t")
