"""Objects in S3, or in any service that speaks its protocol.

Endpoint, region, credentials and proxies are boto3's own business, from its own
environment variables and files (``AWS_ENDPOINT_URL``, ``AWS_REGION``, ...). boto3 is
imported when the first S3Store is made, never before.
"""

import io
import re
from collections import Counter
from contextlib import contextmanager

from .errors import StoreError
from .store import Store, check_name, check_prefix, matching

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = 16 * 2**20  # larger objects travel in parts of this many bytes, side by side
_READS = 4  # of a range whose body breaks off
_DELETES_PER_REQUEST = 1000  # S3's limit
_ABSENT = {"404", "NoSuchKey"}

# What S3 answers, and what it means. Anything else is passed on in S3's own words.
_REASONS = {
    "404": "there is no such object (or bucket)",
    "NoSuchKey": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "403": "permission denied (or absent, if this role may not list the bucket)",
    "AccessDenied": "permission denied (or absent, if this role may not list the bucket)",
    "InvalidAccessKeyId": "the AWS credentials are not valid",
    "SignatureDoesNotMatch": "the AWS credentials are not valid",
    "ExpiredToken": "the AWS credentials have expired",
    "EntityTooLarge": "it is larger than an object may be",
    "QuotaExceeded": "the quota is used up",
    "SlowDown": "the service is overloaded, also after retries",
}


class S3Store(Store):
    """Objects of a bucket whose keys begin with a prefix.

    Parameters
    ----------
    bucket : str
    prefix : str
        Without slashes at its ends; empty for the whole bucket.
    make_client : callable, optional
        Makes the client; by default, the method of a session of boto3 of its own.

    Raises
    ------
    StoreError
        If a part of the url is not valid or boto3 is missing or cannot be configured.
        The bucket itself is first asked for by the first operation.
    """

    def __init__(self, bucket, prefix="", make_client=None):
        self.url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        if not _BUCKET.fullmatch(bucket):
            raise StoreError(f"bad store url {self.url!r}: {bucket!r} is not a bucket name")
        try:
            from boto3 import Session
            from boto3.exceptions import Boto3Error
            from boto3.s3.transfer import S3TransferRetriesExceededError, TransferConfig
            from botocore.config import Config
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                HTTPClientError,
                IncompleteReadError,
                ResponseStreamingError,
            )
        except ImportError as error:
            raise StoreError(f"{self.url} needs boto3, which cannot be imported") from error
        self._bucket = bucket
        self._root = f"{check_name(prefix)}/" if prefix else ""
        self._errors = (
            ClientError,
            BotoCoreError,
            Boto3Error,
            S3TransferRetriesExceededError,  # transfers raise it bare, unlike boto3's own
        )
        self._broken = HTTPClientError, IncompleteReadError, ResponseStreamingError
        with self._explained("open"):
            make_client = make_client or Session().client  # its default one is not thread-safe
            config = Config(retries={"mode": "standard", "max_attempts": 6})
            self._client = make_client("s3", config=config)
        self.requests = Counter()
        self._client.meta.events.register("before-call.s3", self._count)
        self._transfer = TransferConfig(
            multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4
        )

    def put(self, name, data):
        key = self._root + check_name(name)
        body = b"".join(data if isinstance(data, list | tuple) else (data,))
        with self._explained("write", name):
            self._client.upload_fileobj(io.BytesIO(body), self._bucket, key, Config=self._transfer)

    def get(self, name):
        key = self._root + check_name(name)
        body = io.BytesIO()
        with self._explained("read", name):  # unlike get_object, this retries broken streams
            self._client.download_fileobj(self._bucket, key, body, Config=self._transfer)
        return memoryview(body.getvalue())  # its own bytes, which are not copied

    def stat_key(self, key):
        """Return the bytes of an object of any key of the bucket, and what tells its content."""
        with self._explained("look for", key):
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        return found["ContentLength"], found["ETag"]

    def read_key(self, key, start, end):
        """Return the bytes from ``start`` to ``end`` of an object of any key of the bucket."""
        if start >= end:
            return b""
        with self._explained("read", key):
            request = {"Bucket": self._bucket, "Key": key, "Range": f"bytes={start}-{end - 1}"}
            for attempt in range(_READS):  # S3's client tries requests again, but not bodies
                try:
                    return self._client.get_object(**request)["Body"].read()
                except self._broken:
                    if attempt + 1 == _READS:
                        raise

    def exists(self, name):
        key = self._root + check_name(name)
        with self._explained("look for", name):
            try:
                self._client.head_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT:
                    raise
                return False
        return True

    def list(self, prefix=""):
        start = self._root + check_prefix(prefix)
        pages = self._client.get_paginator("list_objects_v2")
        with self._explained("list", prefix):
            names = [
                entry["Key"][len(self._root) :]
                for page in pages.paginate(Bucket=self._bucket, Prefix=start)
                for entry in page.get("Contents", ())
            ]
        return matching(names, prefix)

    def delete(self, names):
        keys = [{"Key": self._root + check_name(name)} for name in names]
        for first in range(0, len(keys), _DELETES_PER_REQUEST):
            batch = keys[first : first + _DELETES_PER_REQUEST]
            with self._explained("delete from"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
                )
            for failed in answer.get("Errors", ()):
                reason = _REASONS.get(failed.get("Code"), failed.get("Message"))
                name = failed["Key"][len(self._root) :]
                raise StoreError(f"cannot delete {name!r} in {self.url}: {reason}")

    def close(self):
        self._client.close()

    def _count(self, model, **_):
        """Count a request by what S3 charges for it; deletions are free."""
        kind = "get" if model.name.startswith(("Get", "Head")) else "put"
        if not model.name.startswith("Delete"):
            self.requests[kind] += 1

    @contextmanager
    def _explained(self, verb, name=""):
        """Turn what boto3 raises into a StoreError that says what it means here."""
        try:
            yield
        except self._errors as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            what = f"cannot {verb} {name!r} in {self.url}" if name else f"cannot {verb} {self.url}"
            raise StoreError(f"{what}: {_REASONS.get(code, error)}") from error
