"""Links of the documents lead somewhere: to a file that is there, and to a heading in it."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").glob("**/*.md"),
        REPOSITORY / "benchmarks/README.md",
    ]
)
_FENCED = re.compile(r"^(`{3,})(?!\{include\}).*?^\1$", re.M | re.S)


@cache
def prose(path):
    """The text of a document without its blocks of code."""
    return re.sub(
        r"`[^`\n]+`", lambda code: code[0].replace("](", "] ("), _FENCED.sub("", path.read_text())
    )


@cache
def anchors(path):
    """The anchors that GitHub and MyST give the headings of a document."""
    text = prose(path)
    for included in re.findall(r"\{include\} (\S+)", text):
        text += prose((path.parent / included).resolve())
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_of_a_document_lead_somewhere(path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            parts = urlsplit(target)
            good = parts.scheme == "https" and re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
        else:
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            good = file.exists() and (not anchor or anchor in anchors(file))
        if not good:
            broken.append(target)
    assert not broken


def test_every_page_is_in_the_contents_and_under_a_name_of_its_own():
    pages = {page.stem for page in (REPOSITORY / "docs").glob("*.md")} - {"index"}
    contents = (REPOSITORY / "docs" / "index.md").read_text()
    listed = re.findall(
        r"^([\w-]+)$", "\n".join(re.findall(r"```\{toctree\}(.*?)```", contents, re.S)), re.M
    )
    assert sorted(listed) == sorted(pages)
    assert not pages & {"search", "genindex", "modindex"}  # Sphinx makes pages of these names
