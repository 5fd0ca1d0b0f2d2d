"""The command ``sklearn-cirrus``, run as a user runs it."""

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


def test_doctor_finds_everything_that_a_fit_needs(run):
    done = run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSING" not in done.stdout
    for part in ("embedded", "engine module", "ABI", "a worker process starts", "came back"):
        assert part in done.stdout


def test_doctor_names_a_server_that_is_not_there_and_keeps_its_password(run, closed_port):
    done = run("doctor", CIRRUS_REDIS_URL=f"redis://:hunter2@127.0.0.1:{closed_port}/0")
    assert done.returncode == 1
    assert f"MISSING  no Redis server can be reached at redis://:***@127.0.0.1:{closed_port}" in (
        done.stdout
    )
    assert "to mend  check CIRRUS_REDIS_URL" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert "1 part missing" in done.stdout


def test_doctor_names_a_store_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    done = run("doctor", CIRRUS_STORE_URL=(tmp_path / "file").as_uri())
    assert done.returncode == 1
    assert "to mend  check CIRRUS_STORE_URL" in done.stdout
    assert "1 part missing" in done.stdout


def test_doctor_names_a_setting_that_cannot_be(run):
    done = run("doctor", CIRRUS_BACKEND="nonsense")
    assert done.returncode == 1
    assert "MISSING  the setting backend must be one of" in done.stdout
    assert "1 part missing" in done.stdout


def test_doctor_starts_no_server_for_the_backend_inline(run):
    done = run("doctor", CIRRUS_BACKEND="inline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "embedded" not in done.stdout


def test_doctor_leaves_nothing_in_the_temporary_folder(run, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    assert run("doctor", TMPDIR=str(folder)).returncode == 0
    assert list(folder.iterdir()) == []


def test_demo_matches_scikit_learn(run):
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    oracle = LogisticRegression(max_iter=1000).fit(scaler.transform(X_train), y_train)
    predicted = oracle.predict(scaler.transform(X_test))
    loss = log_loss(y_test, oracle.predict_proba(scaler.transform(X_test)))

    done = run("demo")
    assert done.returncode == 0, done.stderr
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


def test_demo_says_that_a_folder_lacks_the_data(run, tmp_path):
    done = run("demo", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "a9a is left out" in done.stdout


def test_demo_without_a_server_fails_in_one_sentence(run, closed_port):
    done = run("demo", CIRRUS_REDIS_URL=f"redis://127.0.0.1:{closed_port}/0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no Redis server can be reached" in done.stderr
    assert "sklearn-cirrus doctor" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("demo", "--workers", "0")])
def test_a_wrong_command_line_shows_the_usage(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: sklearn-cirrus")
