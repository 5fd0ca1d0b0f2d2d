"""``sklearn-cirrus deploy`` and ``destroy``, as they are typed."""

import io
import json
import re

import pytest

from sklearn_cirrus.cli import main
from sklearn_cirrus.deploy import load_deployment
from tests.deploy.account import counts, snapshot

URL = "rediss://user:hunter2@cache.example:6379/0"


def test_from_nothing_to_a_stack_and_back(aws, files, hosts, capsys, monkeypatch):
    clean = counts(aws)
    common = ["deploy", "--bundle", str(files["bundle"]), "--module", str(files["module"])]
    host = ["--server-instance", "t4g.medium", "--client-cidr", "203.0.113.0/24"]
    assert main([*common, *host, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "create   function cirrus-worker" in shown and re.search(r"^3\d to create$", shown, re.M)
    assert "host t4g.medium: $0.0368 an hour, $26.86 a month" in shown
    assert counts(aws) == clean

    assert main([*common, "--no-server"]) == 0
    assert "CIRRUS_BACKEND=lambda CIRRUS_STACK=cirrus" in capsys.readouterr().out
    assert main(common) == 0
    assert "nothing was changed" in capsys.readouterr().out

    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert main(["destroy"]) == 1
    assert "delete   function cirrus-worker" in capsys.readouterr().out
    assert "function cirrus-worker" in snapshot(aws)
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert main(["destroy"]) == 0
    assert counts(aws) == clean
    assert main(["destroy", "--yes"]) == 0
    assert "nothing of a stack cirrus" in capsys.readouterr().out


def test_a_url_may_come_from_standard_input(aws, files, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{URL}\n"))
    assert main(["deploy", "--bundle", str(files["bundle"]), "--redis-url", "-"]) == 0
    assert "hunter2" not in "".join(capsys.readouterr())
    assert load_deployment().redis_url == URL


def test_a_template_needs_no_credentials(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    path = tmp_path / "stack.json"
    arguments = ["deploy", "--template", str(path), "--stack", "mine"]
    assert main(arguments) == 1
    assert "--template needs --server-instance" in capsys.readouterr().err
    assert main([*arguments, "--no-server", "--memory", "512"]) == 0
    worker = json.loads(path.read_text())["Resources"]["Worker"]["Properties"]
    assert (worker["FunctionName"], worker["MemorySize"]) == ("mine-worker", 512)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stack", "No"], "the name of a stack"),
        (["--no-server", "--memory", "1"], "--memory must be"),
        (["--redis-url", "redis://:hunter2@host"], "rediss://"),
        (["--no-server", "--bundle", "/does/not/exist"], "is not a bundle"),
        (["--no-server", "--bundle", __file__], "is not a bundle"),
        (["--server-instance", "t4g.medium", "--module", __file__], "aarch64"),
    ],
)
def test_a_wrong_choice_is_one_sentence(aws, files, capsys, arguments, words):
    if "--bundle" not in arguments:
        arguments = [*arguments, "--bundle", str(files["bundle"])]
    assert main(["deploy", *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and "hunter2" not in error


def test_without_credentials_it_says_how_to_get_some(monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert main(["destroy", "--yes", "--region", "eu-west-1"]) == 1
    assert "there are no AWS credentials: run `aws configure`" in capsys.readouterr().err
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main(["destroy", "--yes"]) == 1
    assert "no AWS region is configured: set AWS_DEFAULT_REGION" in capsys.readouterr().err
