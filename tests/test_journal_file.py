"""The file of a journal: what bounds it, and what never comes into it."""

import time
from types import SimpleNamespace

import numpy as np

from sklearn_cirrus import CirrusLogisticRegression, get_config
from sklearn_cirrus import _journal as journal_module
from sklearn_cirrus._journal import Journal, clear, is_held
from sklearn_cirrus._run_journal import RunJournal

from .journals import events_of
from .redis_servers import wait_until


def test_old_journals_are_removed_but_those_that_are_written(tmp_path):
    kept = Journal(tmp_path, "oldest")
    kept.write("start")
    kept.flush()
    time.sleep(0.002)  # names are in milliseconds
    for number in range(8):
        (tmp_path / f"9{number:012d}-a.jsonl").write_text("x" * 100)
    (tmp_path / "9000000000000-a.commands").touch()
    (tmp_path / "of somebody else").touch()
    clear(tmp_path, most=5)
    left = sorted(path.name for path in tmp_path.glob("9*"))
    assert left == [f"9{number:012d}-a.jsonl" for number in range(3, 8)]
    clear(tmp_path, most=5, nbytes=250)
    assert sorted(path.name for path in tmp_path.glob("9*")) == left[-2:]
    assert is_held(tmp_path / f"{kept.name}.jsonl") and (tmp_path / "of somebody else").exists()
    kept.close()
    assert not is_held(tmp_path / f"{kept.name}.jsonl")


def test_one_journal_is_bounded_and_still_has_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "_LARGEST", 4096)
    journal = Journal(tmp_path, "long")
    for number in range(500):
        journal.write("epoch", epoch=number)
        journal.flush()
    journal.write("end", reason="done")
    journal.close()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 4200 and events_of(path)[-1] == {"event": "end", "reason": "done"}


def test_of_very_many_epochs_some_thousands_are_written(tmp_path):
    fit = SimpleNamespace(config=SimpleNamespace(journal=str(tmp_path), max_cost=None))
    journal = RunJournal(fit, "many", 1, 0)
    journal._run = SimpleNamespace(place=SimpleNamespace(cost=0.0))
    numbers = []
    journal._journal.write = lambda event, **fields: numbers.append(fields["epoch"])
    for number in range(1, 100_001):
        journal(0, {"epoch": number})
    assert numbers[:4095] == list(range(1, 4096))
    assert 4096 + 4 * 2048 < len(numbers) < 4096 + 5 * 2048  # 4096 doubled four to five times
    assert np.diff(numbers).max() == 32 and np.all(np.diff(np.diff(numbers)) >= 0)


def test_no_secret_is_in_it(tmp_path):
    config = get_config(
        redis_url="redis://me:secret@host", store_url="s3://secret", journal=str(tmp_path)
    )
    fit = SimpleNamespace(
        config=config, params=CirrusLogisticRegression(), n_workers=2, one_pass=False
    )
    journal = RunJournal(fit, "quiet", 10, 0)
    journal.begin(SimpleNamespace(place=SimpleNamespace(cost=0.0)))
    journal.end(OSError("secret"))  # not ours: who knows what its text holds
    (path,) = tmp_path.iterdir()
    assert "secret" not in path.read_text()
    assert [event.get("error") for event in events_of(path)] == [None, "OSError"]


class Unspeakable:
    def __repr__(self):
        raise RuntimeError


def test_values_that_json_has_not(tmp_path):
    journal = Journal(tmp_path, "odd")
    journal.write("epoch", loss=float("nan"), n=np.int64(3), x=np.float32("inf"), f=len, l=[np.nan])
    journal.write("epoch", params={"memory": Unspeakable()})
    journal.close()
    event, other = events_of(*tmp_path.iterdir())
    assert other["params"] == {"memory": "<Unspeakable>"}
    assert event == {
        "event": "epoch",
        "loss": None,
        "n": 3,
        "x": None,
        "f": "<built-in function len>",
        "l": [None],
    }


def test_commands_of_a_journal_that_cannot_be_written(tmp_path, caplog):
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file", "a")
    journal.write("start")
    wait_until(lambda: journal.commands() == [] and not journal.is_on, "it is still on", 10.0)
    assert "no journal of run" in caplog.text
    assert journal.commands() == []
    journal.close()
