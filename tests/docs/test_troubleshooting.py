"""The messages on the page of errors are messages of the code, raised as the page says."""

import ast
import re
from pathlib import Path

import pytest

import cirrus_runtime
import sklearn_cirrus
from sklearn_cirrus import exceptions

GAP = "…"  # what differs from time to time


def text_of(node):
    """The text that an expression makes, a gap for what only shows at run time; or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%[dsgr]|%\.\df", GAP, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            text_of(part) if isinstance(part, ast.Constant) else GAP for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (text_of(node.left) or GAP) + (text_of(node.right) or GAP)
    return None


def modules():
    for package in (sklearn_cirrus, cirrus_runtime):
        for path in sorted(Path(package.__file__).parent.rglob("*.py")):
            yield ast.parse(path.read_text())


TEXTS, RAISED = set(), {}
for tree in modules():
    for each in ast.walk(tree):
        if (found := text_of(each)) is not None:
            TEXTS.add(found)
        if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call) and each.exc.args:
            name = getattr(each.exc.func, "id", getattr(each.exc.func, "attr", None))
            RAISED.setdefault(text_of(each.exc.args[0]), set()).add(name)
# What the code raises for itself, and shows under another name.
SHOWN_AS = {"Refused": "WorkerError", "CutShort": "ConvergenceWarning", "NotOurs": "DeployError"}


def rows():
    page = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
    return re.findall(r"^\| `(.+?)` \| (.+?) \| .+ \|$", page.read_text(), re.M)


def matches(message):
    """The texts of the code that a message on the page is the beginning or the whole of."""
    pattern = re.compile(
        ".*".join(re.escape(part.strip()) for part in message.strip(GAP + " ").split(GAP)), re.S
    )
    return [text for text in TEXTS if text and pattern.search(text)]


@pytest.mark.parametrize(("message", "kind"), rows(), ids=[row[0][:50] for row in rows()])
def test_a_message_is_one_of_the_code(message, kind):
    texts = matches(message)
    assert texts, "no such text in the code"
    raised = {
        SHOWN_AS.get(name, name)
        for text in texts
        for name in RAISED.get(text, ())
        if name and name[0].isupper()  # no function that makes an exception
    }
    if raised and kind.startswith("`"):
        named = set(re.findall(r"`(\w+)`", kind))
        # A worker's own exception reaches the user as WorkerError.
        assert named & raised or "WorkerError" in named and "CirrusError" in raised, raised


def test_every_kind_of_error_is_on_the_page():
    named = set(re.findall(r"`(\w+)`", " ".join(kind for _, kind in rows())))
    internal = {"BadValueError", "CirrusError"}  # a bad value becomes DivergenceError
    elsewhere = {"BundleError", "PriceUnknown"}  # of the pages on bundles and cost
    assert set(exceptions.__all__) - internal - elsewhere <= named
