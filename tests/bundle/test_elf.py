"""The ELF reader against binutils' readelf."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cirrus_runtime
import sklearn_cirrus
from sklearn_cirrus.bundle.elf import read_library
from sklearn_cirrus.exceptions import BundleError

LIBRARIES = (
    Path(cirrus_runtime.__file__).with_name("libcirrus_kernels.so"),
    Path(sklearn_cirrus.__file__).parent / "redis_module" / "cirrus.so",
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the libraries are no ELF files")


def readelf(path):
    """What readelf says: (architecture, the newest glibc that is needed)."""
    program = shutil.which("readelf")
    if program is None:
        pytest.skip("needs readelf (binutils)")
    shown = subprocess.run(
        [program, "-hVW", path], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    machine = {"AArch64": "aarch64", "Advanced Micro Devices X86-64": "x86_64"}
    versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", shown)
    return (
        machine[re.search(r"Machine: +(.+)", shown)[1]],
        max((tuple(map(int, version)) for version in versions), default=(0, 0)),
    )


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.name)
def test_the_same_as_readelf(path):
    assert read_library(path) == readelf(path)


@pytest.mark.parametrize("size", [0, 4, 20, 300])
def test_a_file_that_is_cut_short_is_refused(tmp_path, size):
    path = tmp_path / "cut.so"
    path.write_bytes(LIBRARIES[0].read_bytes()[:size])
    with pytest.raises(BundleError, match="cut.so is not a shared library"):
        read_library(path)


def test_another_architecture_is_refused(tmp_path):
    data = bytearray(LIBRARIES[0].read_bytes())
    data[18:20] = (243).to_bytes(2, "little")  # RISC-V
    (tmp_path / "other.so").write_bytes(data)
    with pytest.raises(BundleError, match="other.so is not a shared library"):
        read_library(tmp_path / "other.so")
