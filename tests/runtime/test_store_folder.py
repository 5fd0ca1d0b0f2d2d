"""The store in a folder: its files, and what goes wrong with them."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cirrus_runtime.errors import StoreError
from cirrus_runtime.store import FolderStore

from .conftest import WITH_RUNTIME


def files_below(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


def test_a_folder_store_leaves_nothing_behind(tmp_path):
    store = FolderStore(tmp_path / "s")
    store.put("a/b/c", b"x")
    store.delete(["a/b/c"])
    assert files_below(tmp_path) == ["s"]
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700


def test_what_killed_writers_left_goes_with_the_prefix(tmp_path):
    """Writers that are killed at a write leave hidden files, which no one sees."""
    script = (
        "import os, sys\n"
        "from cirrus_runtime.store import FolderStore\n"
        "os.replace = lambda *paths: os._exit(1)\n"
        "FolderStore(sys.argv[1]).put(sys.argv[2], b'x')\n"
    )
    store = FolderStore(tmp_path)
    store.put("runs/1/a", b"x")
    for name in ("runs/1/b", "runs/2/b"):
        command = [sys.executable, "-c", script, str(tmp_path), name]
        assert subprocess.run(command, env=WITH_RUNTIME, timeout=60).returncode == 1
    assert len(files_below(tmp_path)) == 6
    assert store.list() == ["runs/1/a"]
    store.delete_prefix("runs/1/")
    assert not (tmp_path / "runs/1").exists()
    store.delete_prefix("runs/")
    assert files_below(tmp_path) == []


def test_a_writer_whose_folder_is_deleted_meanwhile_is_told(tmp_path):
    store = FolderStore(tmp_path)

    replace = os.replace

    def delete_first(*paths):
        store.delete_prefix("runs/1/")
        replace(*paths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cirrus_runtime.store.os.replace", delete_first)
        with pytest.raises(StoreError, match="it was deleted while it was written"):
            store.put("runs/1/a", b"x")
    assert files_below(tmp_path) == []


def test_a_folder_store_lists_no_foreign_files(tmp_path):
    store = FolderStore(tmp_path)
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "not a name").write_bytes(b"")
    store.put("a", b"")
    assert store.list() == ["a"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "cannot write 'a/b' in file:.*: the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_failed_write_is_explained_and_leaves_no_file(tmp_path, monkeypatch, number, message):
    store = FolderStore(tmp_path)
    store.put("a/b", b"before")

    def fail(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("cirrus_runtime.store.os.replace", fail)
    with pytest.raises(StoreError, match=message) as caught:
        store.put("a/b", b"after")
    assert isinstance(caught.value.__cause__, OSError)
    assert store.get("a/b") == b"before"
    assert files_below(tmp_path) == ["a", "b"]


def test_a_full_disk_is_explained(tmp_path):
    """A real ENOSPC: /dev/full takes the place of the hidden file."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    store = FolderStore(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.open", lambda path, mode: open_full(mode))
        with pytest.raises(StoreError, match="the disk is full"):
            store.put("a", b"x" * 2**20)
    assert files_below(tmp_path) == []


def open_full(mode, open=open):
    return open("/dev/full", mode.replace("x", "w"))


def test_an_object_cannot_also_be_a_folder(tmp_path):
    store = FolderStore(tmp_path)
    store.put("a", b"")
    store.put("b/c", b"")
    for use in (lambda: store.put("a/b", b""), lambda: store.get("a/b")):
        with pytest.raises(StoreError, match="a part of its path is a file"):
            use()
    for use in (lambda: store.put("b", b""), lambda: store.get("b")):
        with pytest.raises(StoreError, match="the beginning of other objects' names"):
            use()
    assert not store.exists("a/b") and not store.exists("b")
    assert store.list("a/") == []
    assert files_below(tmp_path) == ["a", "b", "c"]


def test_permissions_are_explained(tmp_path):
    """In a process of another user when the tests run as root, who may do everything."""
    store = FolderStore(tmp_path / "s")
    store.put("a", b"")
    script = (
        "import os, sys\n"
        "from cirrus_runtime.store import FolderStore\n"
        "from cirrus_runtime.errors import StoreError\n"
        "store = FolderStore(sys.argv[1])\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "for use in (lambda: store.put('b', b''), lambda: store.get('a'), store.list):\n"
        "    try:\n"
        "        use()\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
    )
    (tmp_path / "s").chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "s")],
            env=WITH_RUNTIME,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        (tmp_path / "s").chmod(0o700)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all("permission denied" in line for line in lines)


def test_a_relative_folder_is_refused():
    with pytest.raises(StoreError, match="must be absolute"):
        FolderStore("here")
