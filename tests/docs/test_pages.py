"""The python blocks of the pages run, page by page, as a reader would type them.

A page may have what a block takes for granted (data, a bucket) in a comment that begins with
``invisible-code-block: python``; a block that cannot run here has ``skip: next "why"`` before it.
Both are Sybil's own marks.
"""

import re

import pytest

from .page_blocks import DOCS, run_blocks

PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text()]
ELSEWHERE = {"lambda.md": "lambda_/test_page.py"}  # those that need an emulated AWS
NEEDED = {"dashboard.md": "uvicorn", "emulator.md": "awslambdaric"}  # of extras
HERE = [page for page in PAGES if page.name not in ELSEWHERE]


@pytest.mark.parametrize("page", HERE, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CIRRUS_BACKEND", "inline")  # what the page itself says goes before it
    if "sklearn_cirrus.plots" in page.read_text():
        pytest.importorskip("matplotlib").use("agg")
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name])
    run_blocks(page)


def test_the_other_pages_run_elsewhere(repository):
    for page, test in ELSEWHERE.items():
        assert f'"{page}"' in (repository / "tests" / test).read_text()


def test_a_block_is_left_out_only_with_a_reason():
    for page in PAGES:
        for rest in re.findall(r"<!-- skip: (.*) -->", page.read_text()):
            assert re.fullmatch(r'next "[^"]{8,}"', rest), (page.name, rest)
