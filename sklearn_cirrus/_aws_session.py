"""The session of boto3 that all fits of this process share.

A session reads the descriptions of AWS's services when its first client is made: that takes some
fifty milliseconds a service, which is more than a small fit. Later clients of the same session take
a few. The session is made anew when what boto3 reads its settings from has changed.
"""

import os
import threading
from pathlib import Path

_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}
_lock = threading.Lock()  # clients may be used by several threads, a session may not
_kept = None, None


def region() -> str | None:
    """Return the region that boto3 is configured for.

    Raises
    ------
    botocore.exceptions.BotoCoreError
        The settings name a profile that does not exist.
    """
    with _lock:
        return _session().region_name


def partition(region: str) -> str:
    """Return the partition of AWS that a region belongs to, as ``"aws"``.

    Raises
    ------
    botocore.exceptions.BotoCoreError
        There is no such region.
    """
    with _lock:
        return _session().get_partition_for_region(region)


def make_client(service: str, **options):
    """Return a client of its own for a service, with the options of ``boto3.Session.client``.

    Raises
    ------
    botocore.exceptions.BotoCoreError
        boto3 cannot make one: no region, no such profile.
    """
    with _lock:
        return _session().client(service, **options)


def _session():
    """Return the session for the settings as they are now."""
    global _kept
    from boto3 import Session

    key = _settings()
    if _kept[0] != key:
        _kept = key, Session()
    return _kept[1]


def _settings():
    """Return what tells the settings of boto3 from others, and a fork from its parent."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    files = [Path(os.environ.get(name, usual)).expanduser() for name, usual in _FILES.items()]
    return os.getpid(), variables, [(str(path), _changed(path)) for path in files]


def _changed(path):
    """Return when a file was last changed, or None if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
