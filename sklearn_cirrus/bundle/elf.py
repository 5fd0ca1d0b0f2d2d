"""What a Linux shared library is for, read from its ELF headers.

Source of the layout: the System V ABI, "Object Files", and the Linux Standard Base Core
Specification, "Symbol Versioning". Only 64 bits, little-endian: both of Lambda's architectures.
"""

import re
import struct
from pathlib import Path
from typing import NamedTuple

from ..exceptions import BundleError

_MACHINES = {62: "x86_64", 183: "aarch64"}
_SHT_GNU_VERNEED = 0x6FFFFFFE


class Library(NamedTuple):
    """What a library asks of the machine that loads it."""

    machine: str
    glibc: tuple[int, int]  # the newest version that it names; (0, 0) if it names none


def read_library(path: Path) -> Library:
    """Read the architecture of a shared library and the C library that it needs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Library

    Raises
    ------
    BundleError
        If the file is not a shared library of 64-bit Linux for x86_64 or arm64.
    """
    data = path.read_bytes()
    try:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("it has no 64-bit ELF header")
        (machine,) = struct.unpack_from("<H", data, 18)
        return Library(_MACHINES[machine], max(_glibc_versions(data), default=(0, 0)))
    except (KeyError, ValueError, struct.error) as error:
        raise BundleError(f"{path} is not a shared library of 64-bit Linux ({error})") from error


def _glibc_versions(data: bytes):
    """Yield every version of glibc that the library names as needed."""
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    for _, kind, _, _, start, _, link, entries, _, _ in sections:
        if kind != _SHT_GNU_VERNEED:
            continue
        strings = sections[link][4]
        need = start
        for _ in range(entries):  # one for each library; of each, a list of versions
            _, versions, _, first, following = struct.unpack_from("<HHIII", data, need)
            version = need + first
            for _ in range(versions):
                _, _, _, name, step = struct.unpack_from("<IHHII", data, version)
                begin = strings + name
                text = data[begin : data.index(b"\0", begin)].decode()
                if found := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", text):
                    yield int(found[1]), int(found[2])
                version += step
            need += following
