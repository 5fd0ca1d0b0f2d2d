"""The table of settings has all of them, and no others; the defaults that it names are theirs."""

import re
from dataclasses import fields

import pytest

from sklearn_cirrus.config import Config

SETTINGS = {field.name: field.default for field in fields(Config)}


@pytest.fixture(scope="module")
def rows(repository):
    """For each setting, its default as the page has it."""
    page = (repository / "docs" / "configuration.md").read_text()
    table = page[page.index("## Settings") : page.index("## How many workers")]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", table, re.M))


def test_the_table_has_every_setting(rows):
    assert set(rows) == set(SETTINGS)


def test_defaults_are_as_the_table_has_them(rows):
    for name, default in SETTINGS.items():
        said = rows[name]
        if said.endswith("MiB"):
            assert int(said.split()[0]) << 20 == default, name
        elif quoted := re.match(r"`\"?([\w.]+)\"?`", said):
            assert quoted[1] == str(default), name
        elif re.fullmatch(r"[\d.]+", said):
            assert float(said) == default, name
        else:  # what stands for None is told in words
            assert default is None, (name, said)


def test_the_readme_names_settings_that_are(repository):
    text = (repository / "README.md").read_text()
    table = text[text.index("| setting | default |") : text.index("Each is also an environment")]
    names = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.+?) \|", table, re.M))))
    assert names and names <= set(SETTINGS)
