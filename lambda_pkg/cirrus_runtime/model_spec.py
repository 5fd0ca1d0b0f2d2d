"""What a model is, and the names and numbers of its slots."""

import math
from dataclasses import dataclass
from operator import index

MAX_WIDTH = 65536
MAX_ROWS = 0x7FFFFFF0
SCALE_SLOT = 101
COLUMN_SLOT = 103
COLUMN_ROWS = 3  # of its slot: factors of the rate, l1, l2

_VELOCITY = ("weights", "velocity")
SLOTS = {
    "sgd": ("weights",),
    "momentum": _VELOCITY,
    "nesterov": _VELOCITY,
    "adagrad": ("weights", "squares"),
    "adam": ("weights", "mean", "square", "touches"),
    "ftrl": ("weights", "squares", "dual"),
}
"""Slots of each optimizer in the order of the table; a slot's place is its number."""


@dataclass(frozen=True)
class ModelSpec:
    """Size, update rule and penalty of a model; fixed when the model is created.

    Parameters
    ----------
    rows : int
        Rows of the table: columns of the data, and one for the intercept.
    width : int
        Weights per row: 1, or the number of classes.
    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "adam", "ftrl"}
    penalized : int, optional
        Rows below this number are penalized; by default all.
    l1, l2 : float
        Weights of ``|w|_1`` and of ``|w|^2 / 2`` beside the mean loss.
    beta1, beta2 : float
        Decay of velocity (momentum, nesterov) and of adam's moments, in [0, 1).
    eps : float
        Added to the root by which adagrad, adam and ftrl divide.
    power_t : float
        The power of the sum of squared gradients that adagrad divides by, from 0.5 to 1.
    scaled : bool
        Whether every row has a scale ``s``. Weights are those of the unscaled column; rates are
        ``lr / s**2`` (sgd, momentum, nesterov) or ``lr / s`` (the others).
    varied : bool
        Whether every column has a factor of the learning rate, an l1 and an l2 of its own, in the
        slot ``"columns"``: at first 1 and those of the model.

    Raises
    ------
    ValueError
        If a field is out of range.
    """

    rows: int
    width: int
    optimizer: str
    penalized: int | None = None
    l1: float = 0.0
    l2: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    power_t: float = 0.5
    scaled: bool = False
    varied: bool = False

    def __post_init__(self):
        penalized = self.rows if self.penalized is None else self.penalized
        plain = {"rows": index(self.rows), "width": index(self.width)}
        plain |= {"penalized": index(penalized), "scaled": bool(self.scaled)}
        plain["varied"] = bool(self.varied)
        plain |= {
            name: float(getattr(self, name))
            for name in ("l1", "l2", "beta1", "beta2", "eps", "power_t")
        }
        for name, value in plain.items():  # numpy's numbers become Python's, which any wire takes
            object.__setattr__(self, name, value)
        _check(self.optimizer in SLOTS, f"optimizer must be one of {', '.join(SLOTS)}")
        _check(1 <= self.rows <= MAX_ROWS, f"rows must lie in 1 .. {MAX_ROWS}")
        _check(1 <= self.width <= MAX_WIDTH, f"width must lie in 1 .. {MAX_WIDTH}")
        _check(0 <= self.penalized <= self.rows, "penalized must lie in 0 .. rows")
        for name in ("l1", "l2", "eps"):
            value = getattr(self, name)
            _check(math.isfinite(value) and value >= 0, f"{name} must be finite and not negative")
        for name in ("beta1", "beta2"):
            _check(0 <= getattr(self, name) < 1, f"{name} must lie in [0, 1)")
        _check(0.5 <= self.power_t <= 1, "power_t must lie in [0.5, 1]")

    @property
    def slots(self):
        """Names of the slots: ``"weights"``, the optimizer's state, ``"scale"``, ``"columns"``."""
        more = (("scale",) if self.scaled else ()) + (("columns",) if self.varied else ())
        return SLOTS[self.optimizer] + more

    def slot(self, name):
        """Return the number of a slot, and the values a row has in it.

        Parameters
        ----------
        name : str
            One of :attr:`slots`.

        Returns
        -------
        number : int
        values : int

        Raises
        ------
        ValueError
            If a model of this kind has no such slot.
        """
        if name not in self.slots:
            raise ValueError(f"a {self.optimizer} model has slots {self.slots}, not {name!r}")
        if name == "scale":
            return SCALE_SLOT, 1
        if name == "columns":
            return COLUMN_SLOT, self.width
        return SLOTS[self.optimizer].index(name), self.width


def _check(good, message):
    """Refuse a specification unless this field of it is good."""
    if not good:
        raise ValueError(message)
