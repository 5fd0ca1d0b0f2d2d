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
    [
        ("clicks, to the loss of", "click_fit_10k.json", 3),
        *((f"{n},000 clicks", f"click_fit_{n}k.json", 3) for n in (20, 50, 100, 200)),
        ("500,000 clicks", "click_fit.json", 2),
        ("5,000,000 clicks", "click_fit_5m.json", 1),
    ],
)
def test_clicks(row, name, digits, measured, results):
    (cells,) = [cells for what, cells in measured.items() if what.startswith(row)]
    theirs = results(name)["sgd"]["whole_fit"]["seconds"]["median"]
    assert cells[1] == f"{theirs:.{digits}f}"
    ratio = float(re.search(r"by ([\d.]+)$", cells[4])[1])
    expected = theirs / float(cells[2])
    assert cells[4].startswith("ours" if expected > 1 else "scikit-learn")
    assert ratio == pytest.approx(max(expected, 1 / expected), abs=0.06)
