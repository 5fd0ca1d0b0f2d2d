"""The contract of a store, over memory, a folder and S3 (moto on the loopback)."""

import hashlib
import threading

import numpy as np
import pytest

from cirrus_runtime.errors import StoreError
from cirrus_runtime.store import open_store
from cirrus_runtime.store_memory import MemoryStore

MIB = 2**20


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
