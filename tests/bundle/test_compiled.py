"""The compiled parts: one list of sources, and what zig makes of them for other machines."""

import importlib.util
import re
from pathlib import Path

import pytest

import cirrus_runtime
from sklearn_cirrus.bundle import Target, build_module, compiled
from sklearn_cirrus.bundle.elf import read_library
from sklearn_cirrus.exceptions import BundleError

needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed"
)


@pytest.mark.parametrize(
    ("name", "sources"),
    [("cirrus_kernels", compiled.KERNEL_SOURCES), ("cirrus_module", compiled.MODULE_SOURCES)],
)
def test_sources_are_those_of_the_build(repository, name, sources):
    text = (repository / "CMakeLists.txt").read_text()
    listed = re.search(rf"add_library\({name} \w+ ([^)]+)\)", text)[1]
    assert sorted(re.findall(r"\w+\.c\b", listed)) == sorted(sources)
    assert all(f"{{MODULE_DIR}}/{source}" in listed for source in sources)


def test_flags_are_those_of_the_build(repository):
    text = (repository / "CMakeLists.txt").read_text()
    flags = set(re.findall(r'CMAKE_C_FLAGS_RELEASE "(.+)"', text)[0].split())
    flags |= set(re.findall(r"add_compile_options\((.+)\)", text)[0].split())
    flags.add("-std=c" + re.findall(r"CMAKE_C_STANDARD (\d+)", text)[0])
    assert set(compiled.FLAGS) == flags


def test_the_installed_library_is_taken_where_it_fits(tmp_path, monkeypatch):
    installed = Path(cirrus_runtime.__file__).with_name(compiled.KERNELS)
    target = Target("3.13", Target.here().architecture)
    if not installed.exists() or read_library(installed).glibc > target.glibc:
        pytest.skip("what is installed here is for another system")
    monkeypatch.setattr(compiled, "_compile", None)  # not to be called
    built = compiled.build_kernels(target, tmp_path)
    assert built.read_bytes() == installed.read_bytes()
    assert built.stat().st_mode & 0o777 == 0o755


def test_without_the_compiler_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_fits", lambda library, target: False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BundleError, match="for python3.13, arm64, .* pip install ziglang"):
        compiled.build_kernels(Target("3.13", "arm64"), tmp_path)


@needs_zig
def test_parts_for_another_architecture_ask_for_no_more_than_lambda_has(tmp_path):
    (other,) = {"arm64", "x86_64"} - {Target.here().architecture}
    target = Target("3.11", other)
    folders = tmp_path / "one", tmp_path / "elsewhere" / "two"
    for folder in folders:
        folder.mkdir(parents=True)
        compiled.build_kernels(target, folder)
    one, two = ((folder / compiled.KERNELS).read_bytes() for folder in folders)
    assert one == two
    assert str(tmp_path).encode() not in one
    for path in (folders[0] / compiled.KERNELS, build_module(target, folders[0])):
        machine, glibc = read_library(path)
        assert machine == target.machine
        assert (2, 2) <= glibc <= (2, 26)
    assert b"\0RedisModule_OnLoad\0" in (folders[0] / compiled.MODULE).read_bytes()


@needs_zig
def test_what_the_compiler_says_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_fits", lambda library, target: False)
    monkeypatch.setattr(compiled, "KERNEL_SOURCES", ("nowhere.c",))
    with pytest.raises(BundleError, match="(?s)zig could not compile .*nowhere.c"):
        compiled.build_kernels(Target("3.13", "arm64"), tmp_path)
