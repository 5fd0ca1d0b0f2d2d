"""The command ``sklearn-cirrus``: run as a user runs it, and what it says of what is wrong."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_cirrus.cli import main

COMMAND = Path(sys.executable).with_name("sklearn-cirrus")


@pytest.fixture
def run(tmp_path):
    """Run the command in an empty folder; the keywords are environment variables."""

    def run(*arguments, **variables):
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run


@pytest.fixture
def run_here(tmp_path, monkeypatch, capsys):
    """Run the command in this process: status, output and errors; a new one imports for long."""

    def run_here(*arguments, **variables):
        monkeypatch.chdir(tmp_path)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        status = main(list(arguments))
        return status, *capsys.readouterr()

    return run_here


@pytest.fixture
def closed_port():
    """A port of this machine that refuses connections: bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def figures(output):
    """The table of the demo: {data set: {who: (accuracy, log loss, seconds)}}."""
    table, name = {}, None
    line = re.compile(r"(\w+)? +(cirrus|scikit-learn).*? ([\d.]+) +([\d.]+) +([\d.]+) s")
    for found in filter(None, map(line.fullmatch, output.splitlines())):
        name = found[1] or name
        table.setdefault(name, {})[found[2]] = tuple(map(float, found.group(3, 4, 5)))
    return table


def test_doctor_finds_everything_that_a_fit_needs_and_leaves_nothing(run, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = run("doctor", TMPDIR=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSING" not in done.stdout
    for part in ("embedded", "engine module", "ABI", "a worker process starts", "came back"):
        assert part in done.stdout
    assert list(folder.iterdir()) == []


def test_doctor_names_a_server_that_is_not_there_and_keeps_its_password(run_here, closed_port):
    status, output, errors = run_here(
        "doctor", CIRRUS_REDIS_URL=f"redis://:hunter2@127.0.0.1:{closed_port}/0"
    )
    assert status == 1
    assert (
        f"MISSING  no Redis server can be reached at redis://:***@127.0.0.1:{closed_port}" in output
    )
    assert "to mend  check CIRRUS_REDIS_URL" in output
    assert "hunter2" not in output + errors
    assert "1 part missing" in output


def test_doctor_names_a_store_that_cannot_be_written(run_here, tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    status, output, _ = run_here("doctor", CIRRUS_STORE_URL=(tmp_path / "file").as_uri())
    assert status == 1
    assert "to mend  check CIRRUS_STORE_URL" in output
    assert "1 part missing" in output


def test_doctor_names_a_setting_that_cannot_be(run_here):
    status, output, _ = run_here("doctor", CIRRUS_BACKEND="nonsense")
    assert status == 1
    assert "MISSING  the setting backend must be one of" in output
    assert "1 part missing" in output


def test_doctor_starts_no_server_for_the_backend_inline(run_here):
    status, output, errors = run_here("doctor", CIRRUS_BACKEND="inline")
    assert status == 0, output + errors
    assert "embedded" not in output


def test_demo_matches_scikit_learn_and_says_what_a_folder_lacks(run, tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    oracle = LogisticRegression(max_iter=1000).fit(scaler.transform(X_train), y_train)
    predicted = oracle.predict(scaler.transform(X_test))
    loss = log_loss(y_test, oracle.predict_proba(scaler.transform(X_test)))

    done = run("demo", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "a9a is left out" in done.stdout
    table = figures(done.stdout)
    assert set(table) == {"breast_cancer", "digits"}
    shown = table["breast_cancer"]["scikit-learn"]
    assert shown[:2] == pytest.approx((accuracy_score(y_test, predicted), loss), abs=1e-4)
    for name, rows in table.items():
        assert rows["cirrus"][0] == pytest.approx(rows["scikit-learn"][0], abs=0.02), name
        assert rows["cirrus"][1] == pytest.approx(rows["scikit-learn"][1], abs=0.03), name


def test_demo_trains_on_a9a_when_it_is_there(run, data_dir):
    done = run("demo", "--data", str(data_dir))
    assert done.returncode == 0, done.stderr
    accuracy, loss, _ = figures(done.stdout)["a9a"]["cirrus"]
    assert accuracy == pytest.approx(0.8495, abs=0.003)  # LogisticRegression(C=1): 15.05% error
    assert loss == pytest.approx(0.3242, abs=0.003)


def test_demo_without_a_server_fails_in_one_sentence(run_here, closed_port):
    status, _, errors = run_here("demo", CIRRUS_REDIS_URL=f"redis://127.0.0.1:{closed_port}/0")
    assert status == 1
    assert "Traceback" not in errors
    assert "no Redis server can be reached" in errors
    assert "sklearn-cirrus doctor" in errors


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("demo", "--workers", "0")])
def test_a_wrong_command_line_shows_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sklearn-cirrus")
