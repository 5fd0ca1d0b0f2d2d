"""Commands that documents, messages and docstrings name: the parser takes them as they stand."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from sklearn_cirrus.cli import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.M | re.S)
_COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:.* && )?sklearn-cirrus( .*)$", re.M)


def commands(path):
    """The arguments of each ``sklearn-cirrus`` that a document shows."""
    text = path.read_text()
    shown = [line for block in _BLOCK.findall(text) for line in _COMMAND.findall(block)]
    return shown + re.findall(r"`sklearn-cirrus( [^`]+)`", text)


def commands_in_texts(path):
    """The arguments of each ``sklearn-cirrus`` that a string of a module names; values are 1."""
    text = path.read_text()
    if "`sklearn-cirrus" not in text:
        return []
    tree = ast.parse(text)
    formats = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    within = {part for node in formats for part in node.values}
    texts = [
        "".join(part.value if isinstance(part, ast.Constant) else "1" for part in node.values)
        for node in formats
    ]
    texts += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in within
    ]
    found = [line for text in texts for line in re.findall(r"`sklearn-cirrus(\s[^`]+)`", text)]
    return [re.sub(r"\b[A-Z]+\b", "1", line) for line in found]  # `--memory MB`: what help says


def take(lines, capsys):
    """Have the parser read commands."""
    for line in lines:
        try:
            build_parser().parse_args(shlex.split(line, comments=True))
        except SystemExit as end:
            assert end.code == 0, f"{line}: {capsys.readouterr().err}"


DOCUMENTS = [
    path
    for path in sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
    if path.name != "CHANGELOG.md" and commands(path)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_parser_takes_the_commands_of_a_document(path, capsys):
    take(commands(path), capsys)


def test_the_parser_takes_the_commands_that_messages_and_docstrings_name(capsys):
    found = []
    for folder in ("sklearn_cirrus", "lambda_pkg", "examples", "benchmarks"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            found += (lines := commands_in_texts(path))
            take(lines, capsys)
    assert any("--task-bundle" in line for line in found)  # of a plain string in parentheses
    assert any("--stack" in line for line in found)  # of one with values in it


def test_the_commands_of_the_readme_are_found():
    found = {line.split()[0] for line in commands(REPOSITORY / "README.md")}
    assert {"demo", "doctor", "dashboard"} <= found
