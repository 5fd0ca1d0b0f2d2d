"""The commands of CONTRIBUTING.md are there; the release refuses versions that differ."""

import os
import re
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def commands(repository):
    """What to run, by what for."""
    text = (repository / "CONTRIBUTING.md").read_text()
    return dict(re.findall(r"^\| ([\w ,]+) \| `(.+)` \|$", text, re.M))


def test_there_is_one_command_for_each_task(commands, repository):
    tasks = " ".join(commands)
    assert all(word in tasks for word in ("set up", "test", "benchmark", "release"))
    for command in commands.values():
        words = command.split()
        if words[0].startswith(".ci/"):
            assert os.access(repository / words[0], os.X_OK), command
            subprocess.run(["bash", "-n", repository / words[0]], check=True, timeout=20)
        elif words[0] == "python":
            assert (repository / words[1]).exists(), command
    checked = (repository / ".ci" / "run").read_text()
    assert "\npytest" in checked and "sphinx-build -n -W --keep-going" in checked


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("sklearn_cirrus/__init__.py", ('__version__ = "', '__version__ = "9.'), "says 9."),
        ("CHANGELOG.md", ("## [", "## not ["), "CHANGELOG.md has no"),
    ],
)
def test_a_release_is_refused_before_anything_is_built(repository, tmp_path, name, change, said):
    for each in ("pyproject.toml", "CHANGELOG.md", ".ci/release"):
        (tmp_path / each).parent.mkdir(exist_ok=True)
        shutil.copy(repository / each, tmp_path / each)
    for each in ("sklearn_cirrus", "lambda_pkg/cirrus_runtime"):
        (tmp_path / each).mkdir(parents=True)
        shutil.copy(repository / each / "__init__.py", tmp_path / each)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(*change))
    done = subprocess.run(
        [tmp_path / ".ci" / "release"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode and said in done.stderr, done.stderr
    assert not (tmp_path / "dist").exists()
