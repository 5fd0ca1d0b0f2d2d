"""Runs the python blocks of a page one after the other, as a reader would type them."""

from contextlib import ExitStack
from pathlib import Path
from unittest import SkipTest

import pytest

sybil = pytest.importorskip("sybil")
from sybil.evaluators.python import PythonEvaluator  # noqa: E402
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
SYBIL = sybil.Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["*.md"], path=str(DOCS)
)


def run_blocks(page, **names):
    """Run the blocks of a page, which find ``names``; skip the test if none of them can run.

    Returns
    -------
    dict
        The names that the blocks have given to values.
    """
    document = SYBIL.parse(page)
    document.namespace.update(names)
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
    return document.namespace
