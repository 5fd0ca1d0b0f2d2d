"""What the site promises: its reference is whole, the examples in it run.

That it builds, and that links and docstrings are in order, is for Sphinx to say (see .ci/run).
"""

import doctest
import importlib
import pkgutil
import re

import pytest

import sklearn_cirrus

PUBLIC = [
    importlib.import_module(f"sklearn_cirrus.{info.name}")
    for info in pkgutil.iter_modules(sklearn_cirrus.__path__)
    if not info.name.startswith("_") and not info.ispkg
]
PACKAGES = [
    importlib.import_module(f"sklearn_cirrus.{name}")
    for name in ("datasets", "model_selection", "preprocessing")
]


def examples_of(module):
    """The examples of a module's own docstrings, and of those of what it lends its name to."""
    finder = doctest.DocTestFinder()
    found = finder.find(module)
    for name in getattr(module, "__all__", ()):
        if getattr(getattr(module, name), "__module__", module.__name__) != module.__name__:
            found += finder.find(getattr(module, name), f"{module.__name__}.{name}")
    return [test for test in found if test.examples]


WITH_EXAMPLES = {
    module.__name__: tests for module in PUBLIC + PACKAGES if (tests := examples_of(module))
}


@pytest.fixture(scope="module")
def reference(repository):
    """The source of the reference, as one text."""
    pages = sorted((repository / "docs" / "api").glob("*.md"))
    return "\n".join(page.read_text() for page in pages)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_run(name):
    runner, said = doctest.DocTestRunner(), []
    for example in WITH_EXAMPLES[name]:
        runner.run(example, out=said.append)
    assert runner.tries and not runner.failures, "".join(said)


def test_every_estimator_has_an_example():
    estimators = {name for name in sklearn_cirrus.__all__ if name.startswith("Cirrus")}
    with_example = {t.name.split(".")[2] for tests in WITH_EXAMPLES.values() for t in tests}
    assert estimators and estimators <= with_example


def test_the_reference_has_every_public_name(reference):
    documented = set(re.findall(r"^\.\. auto(?:class|function):: ([\w.]+)", reference, re.M))
    whole = re.findall(r"^\.\. automodule:: sklearn_cirrus\.(\w+)\n   :members:", reference, re.M)
    names = set(sklearn_cirrus.__all__)
    for module in PUBLIC:
        if module.__name__.removeprefix("sklearn_cirrus.") not in whole:
            names |= set(getattr(module, "__all__", ()))
    missing = names - {name.rpartition(".")[2] for name in documented}
    assert not missing, f"add to docs/api: {missing}"
