"""The policies as files: see ``policies/README.md``."""

import json
from functools import cache
from importlib import resources
from string import Template


@cache
def _text(name: str) -> str:
    """Read a policy's file."""
    return (resources.files(__package__) / "policies" / f"{name}.json").read_text()


def policy(name: str, **values: str) -> dict:
    """Return a policy with the names of a stack filled in.

    Parameters
    ----------
    name : str
        Of the file, without ``.json``.
    **values
        For each ``${...}`` in it.

    Returns
    -------
    dict
    """
    return json.loads(Template(_text(name)).substitute(values))
