"""What the README promises: its code runs, its commands are CI's."""

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


def blocks(readme, language):
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", readme, re.M | re.S)


def test_the_python_blocks_run_in_order_as_one_program(readme, tmp_path):
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks(readme, "python")))
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"accuracy ([\d.]+)", done.stdout)[1]) > 0.95


def test_the_first_example_has_ten_lines(readme):
    lines = [line for line in blocks(readme, "python")[0].splitlines() if line]
    assert len(lines) <= 10


def test_ci_runs_the_commands_of_the_readme(readme, repository):
    script = (repository / ".ci" / "run").read_text()
    shown = "\n".join(blocks(readme, "")).replace("&&", "\n").splitlines()
    commands = [
        line.strip() for line in shown if line.startswith(("pip install '", "pip install ."))
    ]
    assert commands
    for command in [*commands, "sklearn-cirrus demo", "pytest"]:
        assert re.search(re.escape(command).replace(r"install\ ", r"install\ (--quiet )?"), script)
