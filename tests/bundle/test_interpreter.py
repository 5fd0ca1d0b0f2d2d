"""The interpreter of a target, and the bytecode that it writes."""

import importlib.util
import marshal
import os
import sys

import pytest

from sklearn_cirrus.bundle.interpreter import find_interpreter, time_cold_import, write_bytecode
from sklearn_cirrus.exceptions import BundleError

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
SOURCE = 'KINDS = {"a", "bc", "def", "x"}\ndef f(kind):\n    return kind in {"a", "bc", "def"}\n'


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a program on the PATH that says that it is some Python."""

    def fake(name, says):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho {says}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        return str(path)

    return fake


def test_the_running_python_is_taken_for_its_version():
    assert find_interpreter(RUNNING) == sys.executable
    assert find_interpreter(RUNNING, sys.executable) == sys.executable


def test_another_version_is_looked_for_on_the_path(fake):
    assert find_interpreter("3.99") is None
    path = fake("python3.99", "3.99 cpython")
    assert find_interpreter("3.99") == path


@pytest.mark.parametrize("says", ["3.99 pypy", "3.98 cpython"])
def test_another_kind_of_bytecode_is_not_taken(fake, says):
    path = fake("python3.99", says)
    assert find_interpreter("3.99") is None
    with pytest.raises(BundleError, match=f"is {says}, and CPython 3.99 is needed"):
        find_interpreter("3.99", path)


@pytest.mark.parametrize("given", ["/nowhere/python", "/bin/false"])
def test_what_is_no_python_is_named(given):
    with pytest.raises(BundleError, match=f"{given} is no Python, and CPython 3.12 is needed"):
        find_interpreter("3.12", given)


def test_bytecode_is_unchecked_and_the_same_from_any_folder(tmp_path, monkeypatch):
    compiled = []
    for name, seed in (("one", "1"), ("elsewhere/two", "2")):
        folder = tmp_path / name / "package"
        folder.mkdir(parents=True)
        (folder / "module.py").write_text(SOURCE)
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        write_bytecode(sys.executable, folder.parent)
        (written,) = folder.glob("__pycache__/*.pyc")
        assert written.name == f"module.{sys.implementation.cache_tag}.pyc"
        compiled.append(written.read_bytes())
    assert compiled[0] == compiled[1]
    assert compiled[0][:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(compiled[0][4:8], "little") == 0b01  # hash-based, not checked
    code = marshal.loads(compiled[0][16:])
    assert code.co_filename == "/var/task/package/module.py"


def test_a_file_that_is_no_python_is_named(tmp_path):
    (tmp_path / "bad.py").write_text("def (")
    with pytest.raises(BundleError, match=r"the bytecode cannot be written by (?s:.)*bad\.py"):
        write_bytecode(sys.executable, tmp_path)


def test_a_bundle_that_lacks_something_cannot_be_imported(worker_bundle):
    with pytest.raises(BundleError, match=r"(?s)cannot be imported.*No module named 'sklearn'"):
        time_cold_import(sys.executable, worker_bundle.path, ["sklearn"], repeats=1)
