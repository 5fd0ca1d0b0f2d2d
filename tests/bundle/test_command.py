"""The command ``sklearn-cirrus bundle``: what it prints, and how it fails."""

import re

import pytest

from sklearn_cirrus import cli
from sklearn_cirrus.bundle import Target, command


@pytest.fixture
def arguments(worker_bundle):
    """The command line that asks for the bundle of the session."""
    target = worker_bundle.target
    return ["bundle", "--python", target.python, "--architecture", target.architecture]


def test_sizes_and_import_time_stand_beside_the_limits(
    arguments, worker_bundle, monkeypatch, capsys, tmp_path
):
    asked = []

    def built(*positional, **named):
        asked.append((positional, named))
        return worker_bundle

    monkeypatch.setattr(command, "build_worker", built)
    assert cli.main([*arguments, "--output", str(tmp_path), "--wheels", "w"]) == 0
    ((target, folder), named) = asked[0]
    assert (target, folder) == (worker_bundle.target, tmp_path)
    assert (str(named["wheels"]), named["interpreter"]) == ("w", None)
    shown = capsys.readouterr().out
    assert str(worker_bundle.path) in shown and worker_bundle.sha256 in shown
    assert re.search(rf"zipped .*\({worker_bundle.zipped:,} bytes\).* 50 MiB", shown)
    assert re.search(rf"unzipped .*\({worker_bundle.unzipped:,} bytes\).* 250 MiB", shown)
    if worker_bundle.precompiled and Target.here().runs_here():
        seconds = re.search(r"import +([\d.]+) s for .*cirrus_runtime\.worker", shown)[1]
        assert 0 < float(seconds) < 60
        assert "bytecode" not in shown


def test_an_interpreter_that_is_none_fails_in_one_sentence(arguments, tmp_path, capsys):
    options = ["--interpreter", "/bin/false", "--output", str(tmp_path)]
    assert cli.main([*arguments, *options]) == 1
    shown = capsys.readouterr().err
    assert "sklearn-cirrus: /bin/false is no Python" in shown and "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_lambda_has_not_shows_the_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["bundle", "--python", "2.7"])
    assert "invalid choice" in capsys.readouterr().err
