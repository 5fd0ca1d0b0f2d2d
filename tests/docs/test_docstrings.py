"""What the reference promises: it is whole, every name in it has an example, the examples run.

That the site builds, and that docstrings are in order, is for Sphinx to say (see .ci/run).
"""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import sklearn_cirrus

# What runs a fit, for who reads the code; the reference leaves these out, as it says.
INTERNAL = {"cli", "redis_module", "servers", "workers"}
MODULES = [
    importlib.import_module(f"sklearn_cirrus.{info.name}")
    for info in pkgutil.iter_modules(sklearn_cirrus.__path__)
    if not info.name.startswith("_") and info.name not in INTERNAL
]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in [sklearn_cirrus, *MODULES]
    for name in module.__all__
    if callable(getattr(module, name))
}
# An exception says when it is raised; the page of errors shows them.
WITH_EXAMPLE = {
    name: value
    for name, value in PUBLIC.items()
    if not (isinstance(value, type) and issubclass(value, sklearn_cirrus.exceptions.CirrusError))
}


@pytest.fixture(scope="module")
def reference(repository):
    """The source of the reference, as one text."""
    pages = sorted((repository / "docs" / "api").glob("*.md"))
    return "\n".join(page.read_text() for page in pages)


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_the_example_of_a_public_name_runs(name):
    if name.startswith("sklearn_cirrus.plots"):
        pytest.importorskip("matplotlib").use("agg")
    finder = doctest.DocTestFinder()
    tests = [test for test in finder.find(WITH_EXAMPLE[name], name) if test.examples]
    assert any(test.name == name for test in tests), "it has no section Examples"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said = []
    for test in tests:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_an_example_is_left_out_only_with_a_reason():
    for name, value in WITH_EXAMPLE.items():
        text = inspect.getdoc(value)
        if "# doctest: +SKIP" in text:
            assert "this is not run here:" in text, name


def test_the_reference_has_every_public_name(reference):
    documented = {
        name.rpartition(".")[2]
        for name in re.findall(
            r"^\.\. auto(?:class|function|exception):: ([\w.]+)", reference, re.M
        )
    }
    whole = re.findall(r"^\.\. automodule:: (sklearn_cirrus\.\w+)\n   :members:", reference, re.M)
    missing = {
        name
        for name in PUBLIC
        if name.rpartition(".")[0] not in whole and name.rpartition(".")[2] not in documented
    }
    assert not missing, f"add to docs/api: {missing}"
