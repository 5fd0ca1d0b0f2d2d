"""The measurements on the page that says when not to use it are those of the raw results."""

import json
import re

import pytest

LOGISTIC = [
    ("digits, `lbfgs`", "digits", "LogisticRegression, lbfgs", "ours, lbfgs"),
    ("digits, `saga` and `adagrad`", "digits", "LogisticRegression, saga", "ours, adagrad"),
    ("a9a, `lbfgs`", "a9a", "LogisticRegression, lbfgs", "ours, lbfgs"),
    ("a9a, `saga` and `adagrad`", "a9a", "LogisticRegression, saga", "ours, adagrad"),
]


@pytest.fixture(scope="module")
def measured(repository):
    """The cells of each row of the table, by what was measured."""
    page = (repository / "docs" / "why.md").read_text()
    table = page[page.index("## Measured") : page.index("## How it compares")]
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in table.splitlines() if line[:2] == "| "]
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def results(repository):
    def load(name):
        return json.loads((repository / "benchmarks" / "results" / name).read_text())["results"]

    return load


@pytest.mark.parametrize(("row", "data", "theirs", "ours"), LOGISTIC)
def test_small_data(row, data, theirs, ours, measured, results):
    raw = results("logistic_fit.json")[data]
    names = theirs, f"{ours}, local", f"{ours}, inline"
    seconds = [f"{raw[name]['seconds']['median']:.3f}" for name in names]
    assert measured[row][:4] == [f"{raw['shape'][0]:,}", *seconds]


@pytest.mark.parametrize(
    ("row", "name", "digits"),
    [("clicks, to the loss of", "click_fit.json", 2), ("the same", "click_fit_5m.json", 1)],
)
def test_clicks(row, name, digits, measured, results):
    (cells,) = [cells for what, cells in measured.items() if what.startswith(row)]
    theirs = results(name)["sgd"]["whole_fit"]["seconds"]["median"]
    assert cells[1] == f"{theirs:.{digits}f}"
    ratio = float(re.search(r"by ([\d.]+)$", cells[4])[1])
    assert ratio == pytest.approx(theirs / float(cells[2]), abs=0.06)
