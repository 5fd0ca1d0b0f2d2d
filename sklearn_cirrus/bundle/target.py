"""What a bundle is for: a Python and an architecture that Lambda offers."""

import os
import platform
import sys
from dataclasses import dataclass, field

from ..exceptions import BundleError

# The oldest C library that a function of this Python may meet. Source: "Lambda runtimes" in the
# AWS Lambda Developer Guide: python3.11 runs on Amazon Linux 2, later ones on Amazon Linux 2023.
GLIBC = {"3.11": (2, 26), "3.12": (2, 34), "3.13": (2, 34)}
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's name: that of Linux and of wheels
_OLDEST_TAG = 17  # of glibc 2; wheels for older ones need not be looked for


def _default_python() -> str:
    """Return the running Python's version if Lambda has it, else the newest one here."""
    running = "{}.{}".format(*sys.version_info)
    return running if running in GLIBC else max(GLIBC)


@dataclass(frozen=True)
class Target:
    """A Python and an architecture of AWS Lambda.

    Parameters
    ----------
    python : {"3.11", "3.12", "3.13"}
        By default the version of the running Python, or "3.13" if that is not one of these.
    architecture : {"arm64", "x86_64"}

    Raises
    ------
    BundleError
        If either is not one of these.

    Examples
    --------
    >>> from sklearn_cirrus.bundle import Target
    >>> target = Target("3.13", "arm64")
    >>> print(target)
    python3.13, arm64
    >>> target.label, target.platforms[0]
    ('arm64-py313', 'manylinux_2_34_aarch64')
    """

    python: str = field(default_factory=_default_python)
    architecture: str = "arm64"

    def __post_init__(self):
        for name, choices in (("python", GLIBC), ("architecture", MACHINES)):
            if getattr(self, name) not in choices:
                raise BundleError(
                    f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )

    def __str__(self):
        return f"{self.runtime}, {self.architecture}"

    @classmethod
    def here(cls) -> "Target":
        """Return the target that is closest to this machine and the running Python.

        Raises
        ------
        BundleError
            If this machine is of no architecture that Lambda has.
        """
        machine = platform.machine()
        for architecture, name in MACHINES.items():
            if machine in (architecture, name):
                return cls(architecture=architecture)
        raise BundleError(f"AWS Lambda has no machines of this one's architecture ({machine})")

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime."""
        return f"python{self.python}"

    @property
    def label(self) -> str:
        """The target's part of a file name, such as ``arm64-py313``."""
        return f"{self.architecture}-py{self.python.replace('.', '')}"

    @property
    def machine(self) -> str:
        """The architecture as Linux, compilers and wheels name it."""
        return MACHINES[self.architecture]

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of the C library there."""
        return GLIBC[self.python]

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there, the best first."""
        minors = range(self.glibc[1], _OLDEST_TAG - 1, -1)
        return [f"manylinux_2_{minor}_{self.machine}" for minor in minors] + [
            f"manylinux2014_{self.machine}"
        ]

    def runs_here(self) -> bool:
        """Say whether this machine can run what is built, given a Python of that version."""
        if platform.system() != "Linux" or platform.machine() != self.machine:
            return False
        try:
            name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
        except (AttributeError, OSError, ValueError):  # another C library
            return False
        return name == "glibc" and tuple(map(int, version.split(".")[:2])) >= self.glibc
