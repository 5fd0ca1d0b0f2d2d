"""The python blocks of the pages run, page by page, as a reader would type them.

A page may have what a block takes for granted (data, a bucket) in a comment that begins with
``invisible-code-block: python``; a block that cannot run here has ``skip: next "why"`` before it.
Both are Sybil's own marks.
"""

import re
from contextlib import ExitStack
from pathlib import Path
from unittest import SkipTest

import pytest

sybil = pytest.importorskip("sybil")
from sybil.evaluators.python import PythonEvaluator  # noqa: E402
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    page for page in sorted((REPOSITORY / "docs").glob("*.md")) if "```python" in page.read_text()
]
NEEDED = {"dashboard.md": "uvicorn", "emulator.md": "awslambdaric"}  # of extras
SYBIL = sybil.Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    path=str(REPOSITORY / "docs"),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRRUS_BACKEND", "inline")  # what the page itself says goes before it
    if "sklearn_cirrus.plots" in page.read_text():
        pytest.importorskip("matplotlib").use("agg")
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name])
    document = SYBIL.parse(page)
    ran, skipped = 0, []
    with ExitStack() as stack:
        document.namespace["until_the_end"] = stack.enter_context
        for example in document.examples():
            try:
                example.evaluate()
                ran += isinstance(example.region.evaluator, PythonEvaluator)
            except SkipTest as why:
                skipped.append(str(why))
    if not ran:
        pytest.skip("; ".join(skipped))


def test_a_block_is_left_out_only_with_a_reason():
    for page in PAGES:
        for rest in re.findall(r"<!-- skip: (.*) -->", page.read_text()):
            assert re.fullmatch(r'next "[^"]{8,}"', rest), (page.name, rest)
