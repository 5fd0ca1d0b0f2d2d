"""matplotlib is there or not; the examples run."""

import doctest
import re
import sys

import pytest

from sklearn_cirrus import plots


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    message = "ScalingDisplay.plot needs matplotlib: install it with pip install "
    with pytest.raises(ImportError, match=re.escape(f"{message}'sklearn-cirrus[plots]'")):
        plots.plot_scaling({1: 1.0})


@pytest.mark.parametrize("name", [name for name in plots.__all__ if name.endswith("Display")])
def test_the_examples_run(name):
    runner, said = doctest.DocTestRunner(), []
    for example in doctest.DocTestFinder().find(getattr(plots, name), name, globs={}):
        runner.run(example, out=said.append)
    assert runner.tries and not runner.failures, "".join(said)
