"""How much memory a process has used at most."""

import sys

_PEAK = b"VmHWM:"


def peak_bytes(pid: int) -> int:
    """Give the largest resident size that a process has had, 0 if it is gone.

    On Linux the kernel keeps the peak, so nothing between two looks is missed. Elsewhere it is
    the present size, and the caller takes the largest of what it sees.
    """
    if not sys.platform.startswith("linux"):
        return _present_bytes(pid)
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(_PEAK):
                    return int(line.split()[1]) << 10
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0  # gone, or dead and not reaped: such a process has no memory


def _present_bytes(pid: int) -> int:
    """Ask psutil, where there is no /proc."""
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0
