"""The contract of a store, over memory, a folder and S3 (moto on the loopback)."""

import errno
import hashlib
import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cirrus_runtime.errors import StoreError
from cirrus_runtime.store import FolderStore, open_store
from cirrus_runtime.store_memory import MemoryStore

MIB = 2**20
# The environment of a process that imports the runtime from where this one does.
WITH_RUNTIME = os.environ | {"PYTHONPATH": str(Path(inspect.getfile(FolderStore)).parents[1])}


@pytest.fixture(scope="module")
def s3():
    """A bucket named "bucket" of a mock S3 service; gives its client."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            client = boto3.client("s3")
            client.create_bucket(Bucket="bucket")
            yield client
            client.close()
        finally:
            server.stop()


@pytest.fixture(params=["memory", "file", "s3"])
def url(request, tmp_path):
    if request.param == "memory":
        return MemoryStore.url
    if request.param == "file":
        return (tmp_path / "sto re").as_uri()
    request.getfixturevalue("s3")
    return f"s3://bucket/{hashlib.sha1(str(tmp_path).encode()).hexdigest()}"


@pytest.fixture
def store(url):
    with MemoryStore() if url == MemoryStore.url else open_store(url) as store:
        yield store


def test_what_is_put_is_got(store):
    store.put("runs/7/train-000", b"abc")
    assert store.exists("runs/7/train-000")
    got = store.get("runs/7/train-000")
    assert isinstance(got, memoryview) and got.readonly
    assert got == b"abc"


def test_pieces_follow_each_other(store):
    numbers = np.arange(5, dtype="<u4")
    store.put("a", [b"head", memoryview(numbers).cast("B"), bytearray(b"tail"), b""])
    assert store.get("a") == b"head" + numbers.tobytes() + b"tail"


def test_an_empty_object(store):
    store.put("empty", b"")
    assert store.exists("empty")
    assert store.get("empty") == b""


def test_a_put_replaces_and_what_was_got_stays(store):
    store.put("a", b"old" * 5000)
    old = store.get("a")
    store.put("a", b"new")
    assert store.get("a") == b"new"
    store.delete(["a"])
    assert old == b"old" * 5000


def test_large_objects_travel_in_parts(store):
    data = np.random.default_rng(0).bytes(40 * MIB + 3)
    store.put("large", data)
    assert hashlib.sha256(store.get("large")).digest() == hashlib.sha256(data).digest()


def test_list_gives_sorted_names_by_prefix(store):
    names = ["runs/10/a", "runs/1/b", "runs/1/a", "runs/1/deep/er/c", "other"]
    for name in names:
        store.put(name, b"x")
    assert store.list() == sorted(names)
    assert store.list("runs/1") == ["runs/1/a", "runs/1/b", "runs/1/deep/er/c", "runs/10/a"]
    assert store.list("runs/1/") == ["runs/1/a", "runs/1/b", "runs/1/deep/er/c"]
    assert store.list("runs/1/a/") == []
    assert store.list("nothing/here") == []


def test_delete_passes_over_what_is_absent(store):
    store.put("a", b"x")
    store.put("b/c", b"x")
    store.delete(["a", "absent", "absent/too", "a/below"])
    assert store.list() == ["b/c"]
    store.delete([])


def test_delete_prefix_keeps_everything_else(store):
    for name in ("runs/1/a", "runs/1/b/c", "runs/10/a", "runs-1"):
        store.put(name, b"x")
    store.delete_prefix("runs/1/")
    assert store.list() == ["runs-1", "runs/10/a"]
    store.delete_prefix("runs/1/")
    with pytest.raises(StoreError, match="refused to delete everything"):
        store.delete_prefix("")
    assert len(store.list()) == 2


def test_a_missing_object_is_named(store):
    with pytest.raises(StoreError, match="cannot read 'no/such' in .*there is no such object"):
        store.get("no/such")
    assert not store.exists("no/such")


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "..", "a/../b", "../a", ".hidden", "a/.b", "a\\b", "a b", "a\n",
     "a\0b", "é", "x" * 201, "x/" * 400 + "x", None, b"a"],
    ids=lambda name: repr(name)[:20],
)  # fmt: skip
def test_names_are_checked(store, name):
    for use in (lambda: store.put(name, b""), lambda: store.get(name), lambda: store.exists(name)):
        with pytest.raises(StoreError, match="not a valid object name"):
            use()
    with pytest.raises(StoreError, match="not a valid object name"):
        store.delete([name])


@pytest.mark.parametrize("prefix", ["/", "..", "../x", "a/..", "a//", None])
def test_prefixes_are_checked(store, prefix):
    with pytest.raises(StoreError, match="not a valid beginning"):
        store.list(prefix)
    if prefix:
        with pytest.raises(StoreError, match="not a valid beginning"):
            store.delete_prefix(prefix)


@pytest.mark.parametrize("url", ["file", "s3"], indirect=True)
def test_stores_of_one_place_see_only_their_own_root(store, url):
    with open_store(f"{url}/inner") as inner, open_store(store.url) as same:
        store.put("a", b"outer")
        inner.put("a", b"inner")
        assert same.get("a") == b"outer"
        assert same.get("inner/a") == b"inner"
        inner.delete_prefix("a")
        assert inner.list() == []
        assert same.list() == ["a"]


def test_a_reader_never_sees_half_an_object(store):
    """Two writers replace one object while two readers read it."""
    contents = [bytes([byte]) * (MIB // 2) for byte in (1, 2)]
    store.put("a", contents[0])
    failures, writing = [], threading.Event()
    writing.set()

    def write(content):
        for _ in range(20):
            store.put("a", content)

    def read():
        while writing.is_set():
            try:
                if store.get("a") not in contents:
                    failures.append("half")
            except StoreError as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join(60)
    writing.clear()
    for thread in readers:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in readers + writers)


def test_many_threads_write_and_delete(store):
    failures = []

    def work(worker):
        try:
            for i in range(15):
                store.put(f"shared/{worker}/{i}", str(i).encode())
                assert store.get(f"shared/{worker}/{i}") == str(i).encode()
                store.delete([f"shared/{worker}/{i}"])  # the empty folder goes as well
        except (StoreError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker % 2,)) for worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert store.list() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "begins with neither file:// nor s3://"),
        ("/tmp/x", "begins with neither"),
        ("gs://bucket/x", "begins with neither"),
        ("memory://", "begins with neither"),  # another process cannot reach it
        ("file://host/x", "write file:///absolute/folder"),
        ("file:relative", "write file:///absolute/folder"),
        ("file:///x?y", "a place and a path only"),
        ("s3://bucket/x#y", "a place and a path only"),
        ("s3://user:secret@bucket/x", "a place and a path only"),
        ("s3:///x", "not a bucket name"),
        ("s3://UPPER/x", "not a bucket name"),
        ("s3://bucket/a/../b", "not a valid object name"),
    ],
)
def test_bad_urls_are_refused(url, message):
    with pytest.raises(StoreError, match=message):
        open_store(url)


# --- the folder alone ---------------------------------------------------------------------


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
            store.put("a", b"x" * MIB)
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


# --- S3 alone -----------------------------------------------------------------------------


def test_a_missing_bucket_is_explained(s3):
    with open_store("s3://no-such-bucket/x") as store:
        with pytest.raises(StoreError, match="there is no such bucket"):
            store.list()
        with pytest.raises(StoreError, match="there is no such bucket"):
            store.put("a", b"")
        with pytest.raises(StoreError, match="no such object .or bucket"):
            store.get("a")


def test_lists_and_deletes_of_many_pages(s3, monkeypatch):
    names = [f"many/{i:02}" for i in range(11)]
    with open_store("s3://bucket/pages") as store:
        for name in names:
            store.put(name, b"")
        small_page = "before-parameter-build.s3.ListObjectsV2"
        store._client.meta.events.register(small_page, lambda params, **_: params.update(MaxKeys=3))
        monkeypatch.setattr("cirrus_runtime.store_s3._DELETES_PER_REQUEST", 4)
        assert store.list("many/") == names
        store.delete_prefix("many/")
        assert store.list() == []


def test_the_store_of_a_whole_bucket(s3):
    s3.create_bucket(Bucket="whole")
    with open_store("s3://whole") as store:
        store.put("a/b", b"x")
        assert store.list() == ["a/b"]
        assert s3.list_objects_v2(Bucket="whole")["Contents"][0]["Key"] == "a/b"
    assert store.url == "s3://whole"


def test_an_unreachable_service_is_explained(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's wait between retries
    with open_store("s3://bucket/x") as store:
        with pytest.raises(StoreError, match="cannot read 'a' in s3://bucket/x: .*connect"):
            store.get("a")


def test_missing_credentials_are_explained(monkeypatch, s3):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with open_store("s3://bucket/x") as store:
        with pytest.raises(StoreError, match="(?i)cannot write 'a' .*credentials"):
            store.put("a", b"x")


def test_refusals_of_single_deletes_are_not_lost(s3, monkeypatch):
    with open_store("s3://bucket/x") as store:
        refusal = {"Errors": [{"Key": "x/b", "Code": "AccessDenied", "Message": "no"}]}
        monkeypatch.setattr(store._client, "delete_objects", lambda **request: refusal)
        with pytest.raises(StoreError, match="cannot delete 'b' .*permission denied"):
            store.delete(["a", "b"])


def test_boto3_is_imported_by_the_first_s3_store_only():
    script = (
        "import sys, cirrus_runtime.store, cirrus_runtime.store_s3\n"
        "assert 'boto3' not in sys.modules and 'botocore' not in sys.modules\n"
        "sys.modules['boto3'] = None\n"
        "from cirrus_runtime.errors import StoreError\n"
        "try:\n"
        "    cirrus_runtime.store.open_store('s3://bucket/x')\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=WITH_RUNTIME,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "s3://bucket/x needs boto3, which cannot be imported", done.stderr
