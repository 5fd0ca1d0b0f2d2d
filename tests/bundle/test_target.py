"""Targets: what can be asked for, and which wheels and machines fit."""

import platform
import sys

import pytest

from sklearn_cirrus.bundle import Target
from sklearn_cirrus.exceptions import BundleError


def test_the_default_is_arm64_and_the_running_python():
    assert Target().architecture == "arm64"
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert Target().python == (running if running in ("3.11", "3.12", "3.13") else "3.13")


@pytest.mark.parametrize("wrong", [{"python": "3.9"}, {"python": 3.12}, {"architecture": "arm"}])
def test_what_lambda_has_not_is_refused_with_the_choices(wrong):
    with pytest.raises(BundleError, match=r"must be one of .*(3\.13|x86_64), not"):
        Target(**wrong)


def test_names():
    target = Target("3.13", "arm64")
    assert (target.label, target.runtime, target.machine) == (
        "arm64-py313",
        "python3.13",
        "aarch64",
    )
    assert str(target) == "python3.13, arm64"


@pytest.mark.parametrize(("python", "newest"), [("3.11", 26), ("3.12", 34), ("3.13", 34)])
def test_wheels_are_for_the_glibc_of_the_runtime_and_older(python, newest):
    tags = Target(python, "x86_64").platforms
    expected = [f"manylinux_2_{minor}_x86_64" for minor in range(newest, 16, -1)]
    assert tags == [*expected, "manylinux2014_x86_64"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_this_machine_runs_its_own_target_and_no_other_architecture():
    here = Target.here()
    assert here.machine == platform.machine()
    (other,) = {"arm64", "x86_64"} - {here.architecture}
    assert not Target(here.python, other).runs_here()
    newer = Target("3.13", here.architecture)
    glibc = tuple(map(int, platform.libc_ver()[1].split(".")[:2]))
    assert newer.runs_here() == (platform.libc_ver()[0] == "glibc" and glibc >= (2, 34))


def test_a_machine_that_lambda_has_not_is_named(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(BundleError, match="riscv64"):
        Target.here()
