"""The commands that the documents show are commands: the parser takes them as they stand."""

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


DOCUMENTS = [
    path
    for path in sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
    if path.name != "CHANGELOG.md" and commands(path)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_parser_takes_the_commands_of_a_document(path, capsys):
    for line in commands(path):
        try:
            build_parser().parse_args(shlex.split(line, comments=True))
        except SystemExit as end:
            assert end.code == 0, f"{line}: {capsys.readouterr().err}"


def test_the_commands_of_the_readme_are_found():
    found = {line.split()[0] for line in commands(REPOSITORY / "README.md")}
    assert {"demo", "doctor", "dashboard"} <= found
