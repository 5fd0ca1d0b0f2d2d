"""Tells joblib of backend "cirrus"; the backend itself is imported when it is first used.

joblib has no entry points, and asks nobody for a name that it does not know: the package must have
been imported before.
"""

import joblib


def register_backend():
    """Register the backend under its name."""
    joblib.register_parallel_backend("cirrus", _make)


def _make(**options):
    """Make a backend, for joblib."""
    from .joblib_backend import CirrusBackend

    return CirrusBackend(**options)
