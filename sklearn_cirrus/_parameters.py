"""Checks of constructor parameters: each is used as documented, or refused with a ValueError."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state


def check_real(name, value, low, high, *, closed=True, also=()):
    """Refuse a parameter that is not a real number in an interval.

    Parameters
    ----------
    name : str
    value : object
    low, high : float
        The interval is [low, high], or (low, high) if not ``closed``.
    closed : bool
    also : tuple
        Other values that are allowed (None, strings).

    Raises
    ------
    ValueError
    """
    if any(value is other or (isinstance(other, str) and value == other) for other in also):
        return
    good = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    good = good and (low <= value <= high if closed else low < value < high)
    if not good:
        interval = f"[{low:g}, {high:g}]" if closed else f"({low:g}, {high:g})"
        _refuse(name, value, f"a number in {interval}", also)


def check_integer(name, value, low, *, also=()):
    """Refuse a parameter that is not an integer, ``low`` or more; the rest as in check_real."""
    if any(value is other or (isinstance(other, str) and value == other) for other in also):
        return
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)) or value < low:
        _refuse(name, value, f"an integer, {low} or more", also)


def plain_count(value):
    """Return an integer of any type as an int, and None or a text as it is."""
    return value if value is None or isinstance(value, str) else int(value)


def check_choice(name, value, choices):
    """Refuse a parameter that is not one of the choices."""
    if not any(
        value is choice or (isinstance(choice, str) and value == choice) for choice in choices
    ):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_flag(name, value):
    """Refuse a parameter that is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, not {value!r}")


def check_seed(name, value):
    """Refuse a parameter that random numbers cannot be drawn from."""
    try:
        check_random_state(value)
    except ValueError as error:
        what = "an integer from 0 to 2**32 - 1, a numpy.random.RandomState, or None"
        raise ValueError(f"{name} must be {what}; it is {value!r}") from error


def _refuse(name, value, what, also):
    """Raise the ValueError."""
    others = "".join(f", or {other!r}" for other in also)
    raise ValueError(f"{name} must be {what}{others}; it is {value!r}")


def check_training(params):
    """Refuse bad parameters of those that every estimator has which trains on workers."""
    check_real("learning_rate", params.learning_rate, 0, 1e9, also=("auto",), closed=False)
    check_integer("batch_size", params.batch_size, 1, also=("auto",))
    check_integer("max_iter", params.max_iter, 1)
    check_real("tol", params.tol, 0, 1, also=(None,))
    check_flag("early_stopping", params.early_stopping)
    check_real("validation_fraction", params.validation_fraction, 0, 1, closed=False)
    check_integer("n_iter_no_change", params.n_iter_no_change, 1)
    check_flag("warm_start", params.warm_start)
    check_integer("n_workers", params.n_workers, 1, also=(None, "auto"))
    check_seed("random_state", params.random_state)
    check_integer("verbose", params.verbose, 0, also=(True, False))


def refuse_meaningless(params, defaults, reason):
    """Refuse parameters that a solver would not use, unless they are left at their defaults.

    ``reason`` says for which solver they have no meaning, and why.
    """
    for name, default in defaults.items():
        if getattr(params, name) != default:
            raise ValueError(
                f"{name} has no meaning for {reason}: leave it at {default!r}, not "
                f"{getattr(params, name)!r}"
            )
