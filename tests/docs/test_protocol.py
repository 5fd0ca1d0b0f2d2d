"""The page of the protocol says what the code does: versions, keys, objects, fields, arrays."""

import re
from dataclasses import fields

import pytest

import cirrus_runtime
from cirrus_runtime import blocks, keys, protocol, tables
from sklearn_cirrus import _checkpoint, _journal
from sklearn_cirrus._dataset import manifest


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "protocol.md").read_text()


def section(page, heading):
    """The text of a section."""
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]


def test_versions_are_those_of_the_code(page):
    rows = re.findall(r"^\| (.+?) \| .+? \| ([\d.]+) \|", section(page, "Versions"), re.M)
    assert [version for _, version in rows] == [
        str(protocol.VERSION),
        cirrus_runtime.__version__,
        *(str(each.VERSION) for each in (blocks, tables, manifest, _checkpoint, _journal)),
    ]
    for each in (blocks, tables, manifest, _checkpoint):
        assert f"(`{each._FORMAT}`)" in page


def test_every_key_and_object_of_a_run_is_there(page):
    of_run = keys.RunKeys("<run>")
    shown = [
        *(of_run.model, of_run.vector, of_run.leases, of_run.reports, of_run.offered),
        of_run.pattern.removesuffix("*"),
        of_run.table("<plan>"),
        of_run.buffer("<digest>"),
        of_run.task_key,
    ]
    numbered = [
        *(of_run.block(part, 0) for part in ("train", "valid")),
        *(of_run.checkpoint(0), of_run.plan(0), of_run.job(0)),
    ]
    shown += [name.replace("000000", "<number>") for name in numbered]
    shown += [
        of_run.call(0).replace("000000", "<task>"),
        of_run.result(0, 0).replace("000000-00", "<task>-<attempt>"),
    ]
    methods = {name for name in vars(keys.RunKeys) if not name.startswith("_")}
    assert len(methods - {"run_id", "prefix"}) == len(shown) - 1  # block has two parts
    for name in shown:
        assert f"`{name}`" in page, name


def test_arrays_of_a_block_have_their_types(page):
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", section(page, "A block"), re.M)
    assert {name: tuple(types.split(" or ")) for name, types in rows} == blocks._ARRAYS


def test_fields_of_jobs_leases_and_reports_are_all_there(page):
    table = re.findall(r"^\| (`.+?) \| ", section(page, "A job"), re.M)
    found = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert found == set(protocol.TrainJob("r", 1, 1, True, 1, 0, "s").to_json())
    text = section(page, "Leases and reports").replace("\n", " ")
    for name, kind in (("lease", protocol.Lease), ("report", protocol.Report)):
        listed = re.search(rf"A {name}: (.+?)\. ", text)[1]
        assert re.findall(r"`(\w+)`", listed) == [field.name for field in fields(kind)]


def test_commands_and_words_of_errors_are_those_of_the_module(repository):
    page = (repository / "docs" / "commands.md").read_text()
    folder = repository / "sklearn_cirrus" / "redis_module"
    code = "".join(path.read_text() for path in sorted(folder.glob("*.[ch]")))
    headings = " ".join(re.findall(r"^## (.+)$", page, re.M))
    commands = set(re.findall(r'"(CIRRUS\.[A-Z]+)"', code))
    assert set(re.findall(r"CIRRUS\.[A-Z]+", headings)) == commands
    # The head of module.c lists the words; which of them the commands say is seen by their tests.
    words = set(re.findall(r"^ \*   ([A-Z]{3,})  ", code, re.M))
    told = set(re.findall(r"^\| `([A-Z]+)` \|", section(page, "Errors"), re.M))
    assert words and told == words | {"ERR"}  # the server's own word
