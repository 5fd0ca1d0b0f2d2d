"""The exceptions are those of the tree in the docstring."""

import builtins
import inspect
import re

import pytest

import cirrus_runtime.errors
from sklearn_cirrus import exceptions


def drawn_tree():
    """Read the docstring: (name, name of the base above it, other bases that are mentioned)."""
    above, found = {}, []
    for line in exceptions.__doc__.splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+)  +(.+)$", line)
        if match:
            depth = len(match[1]) // 4
            above[depth] = match[2]
            also = re.findall(r"\(also a (\w+)\)", match[3])
            found.append((match[2], above[depth - 1] if depth else None, also))
    return found


TREE = drawn_tree()


def test_every_exception_is_drawn():
    names = [name for name, _, _ in TREE]
    assert sorted(names) == exceptions.__all__
    assert len(names) == 18


@pytest.mark.parametrize(("name", "base", "also"), TREE)
def test_the_drawing_is_true(name, base, also):
    kind = getattr(exceptions, name)
    bases = [getattr(exceptions, base) if base else Exception]
    assert list(kind.__bases__) == bases + [getattr(builtins, other) for other in also]
    assert inspect.getdoc(kind)


def test_every_error_of_the_runtime_is_exported():
    runtime = {
        name: kind
        for name, kind in vars(cirrus_runtime.errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }
    assert runtime
    assert all(getattr(exceptions, name) is kind for name, kind in runtime.items())


@pytest.mark.parametrize("name", exceptions.__all__)
def test_one_clause_catches_all(name):
    with pytest.raises(exceptions.CirrusError, match="why"):
        raise getattr(exceptions, name)("why")
