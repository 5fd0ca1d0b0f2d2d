"""Where and how fits run: settings that are not the estimator's.

A setting is looked up in this order: the estimator's own parameter (``backend``, ``n_workers``),
the settings of the stage, :func:`config_context`, :func:`set_config`, the environment variable,
the default.
"""

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace

from cirrus_runtime.task_format import TASK_VARIABLE

from ._settings import BETWEEN_URLS, Config
from ._stages import STAGES, StageReport, StageUsage, current_stage, stage_report
from .exceptions import ConfigurationError

__all__ = [
    "Config",
    "StageReport",
    "StageUsage",
    "config_context",
    "get_config",
    "set_config",
    "stage_report",
]

_NAMES = {field.name: field for field in fields(Config)}
_process: dict = {}
_context: ContextVar[dict] = ContextVar("sklearn_cirrus_config", default={})  # noqa: B039 (never changed)


def get_config(**overrides):
    """Return the settings in force here.

    Parameters
    ----------
    **overrides
        Settings that go before all others; those that are None are passed over.

    Returns
    -------
    Config

    Raises
    ------
    ConfigurationError
        If a setting has a value that it cannot have.

    Examples
    --------
    >>> from sklearn_cirrus import config_context, get_config
    >>> with config_context(n_workers=4):
    ...     get_config().n_workers, get_config(n_workers=2).n_workers
    (4, 2)
    """
    values = _environment() | _process | _context.get()
    own = {name: values.pop(name, None) for name in STAGES}
    values |= own.get(current_stage()) or {}
    values |= {name: value for name, value in overrides.items() if value is not None}
    if TASK_VARIABLE in os.environ:  # a joblib task: its worker is all that it has
        values |= {"backend": "inline", "n_workers": None, "dashboard": False}
        values["journal"] = "off"  # it is the call that is shown
    return replace(Config(), **values)


def set_config(**settings):
    """Change settings for all fits of this process.

    Parameters
    ----------
    **settings
        Fields of :class:`~sklearn_cirrus.config.Config`; and ``preprocessing``, ``training`` and
        ``tuning``: dicts of such fields, or None, that go before the others in that stage.

    Raises
    ------
    ConfigurationError
        If there is no such setting, or it cannot have this value.

    Examples
    --------
    >>> from sklearn_cirrus import get_config, set_config
    >>> before = get_config().block_bytes
    >>> set_config(block_bytes=4 << 20)
    >>> get_config().block_bytes
    4194304
    >>> set_config(block_bytes=before)
    """
    _validate(settings)
    _process.update(settings)


@contextmanager
def config_context(**settings):
    """Change settings for the fits inside a ``with`` block, in this thread.

    Parameters
    ----------
    **settings
        Fields of :class:`~sklearn_cirrus.config.Config`; and ``preprocessing``, ``training`` and
        ``tuning``: dicts of such fields, or None, that go before the others in that stage.

    Raises
    ------
    ConfigurationError
        If there is no such setting, or it cannot have this value.

    Examples
    --------
    >>> from sklearn_cirrus import config_context, get_config
    >>> with config_context(backend="inline"):
    ...     get_config().backend
    'inline'
    """
    _validate(settings)
    token = _context.set(_context.get() | settings)
    try:
        yield
    finally:
        _context.reset(token)


def _validate(settings):
    """Refuse settings that are not, or cannot be so."""
    for name in settings:
        if name not in _NAMES and name not in STAGES:
            raise ConfigurationError(
                f"there is no setting {name!r}; there are: {', '.join([*_NAMES, *STAGES])}"
            )
    replace(Config(), **{name: value for name, value in settings.items() if name in _NAMES})
    for name in STAGES:
        own = settings.get(name)
        if own is None:
            continue
        if not isinstance(own, dict) or not own.keys() <= _NAMES.keys():
            raise ConfigurationError(
                f"{name} must be None or a dict of settings of that stage ({', '.join(_NAMES)}), "
                f"got {own!r}"
            )
        try:
            replace(Config(), **own)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name}: {error}") from error


def _environment():
    """Return the settings given in environment variables."""
    values = {}
    for name, field in _NAMES.items():
        variable = f"CIRRUS_{name.upper()}"
        text = os.environ.get(variable, "")
        if text:
            values[name] = _parse(variable, text, field.default)
    return values


def _parse(variable, text, default):
    """Return the value of an environment variable in the type of its default."""
    if variable == "CIRRUS_REDIS_URL":
        urls = BETWEEN_URLS.split(text)
        return tuple(urls) if len(urls) > 1 else text
    try:
        if isinstance(default, bool):
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
        if variable == "CIRRUS_N_WORKERS":
            return text if text == "auto" else int(text)
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float) or variable == "CIRRUS_MAX_COST":
            return float(text)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{variable}={text!r} cannot be read") from error
    return text
