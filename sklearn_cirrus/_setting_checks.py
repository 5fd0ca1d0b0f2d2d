"""Checks of settings, each with the one error that says what was wrong."""

from .exceptions import ConfigurationError


def is_count(value, least, most):
    """Return whether a value is an integer within bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def check_url(name, url, schemes):
    """Refuse what is no url with one of these schemes."""
    # A url may hold a password: only its beginning is shown.
    shown = url.split("://")[0] if isinstance(url, str) else url
    good = isinstance(url, str) and url.startswith(schemes)
    check(good, name, shown, f"None or a url that begins with {' or '.join(schemes)}")


def check(good, name, value, what):
    """Refuse a setting unless it is good."""
    if not good:
        raise ConfigurationError(f"the setting {name} must be {what}, not {value!r}")
