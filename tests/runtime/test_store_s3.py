"""The store in S3 (moto on the loopback): its requests, and what goes wrong with them."""

import subprocess
import sys

import pytest

from cirrus_runtime.errors import StoreError
from cirrus_runtime.store import open_store

from .conftest import WITH_RUNTIME


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
