"""Settings that are given in environment variables."""

import os
import re

from .exceptions import ConfigurationError

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_BETWEEN_URLS = re.compile(rf",(?={'|'.join(REDIS_SCHEMES)})")  # a password may hold a comma


def read_environment(fields):
    """Return the settings given in environment variables.

    Parameters
    ----------
    fields : dict of str to dataclasses.Field
        Of the settings, by their names.

    Raises
    ------
    ConfigurationError
        A variable cannot be read.
    """
    values = {}
    for name, field in fields.items():
        variable = f"CIRRUS_{name.upper()}"
        text = os.environ.get(variable, "")
        if text:
            values[name] = _parse(variable, text, field.default)
    return values


def _parse(variable, text, default):
    """Return the value of an environment variable in the type of its default."""
    if variable == "CIRRUS_REDIS_URL":
        urls = _BETWEEN_URLS.split(text)
        return tuple(urls) if len(urls) > 1 else text
    try:
        if isinstance(default, bool):
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
        if isinstance(default, int) or variable == "CIRRUS_N_WORKERS":
            return int(text)
        if isinstance(default, float) or variable == "CIRRUS_MAX_COST":
            return float(text)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{variable}={text!r} cannot be read") from error
    return text
