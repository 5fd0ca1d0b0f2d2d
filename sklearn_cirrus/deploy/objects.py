"""Files that deploy puts into the bucket: the functions' code and the server's module.

A file's key holds its hash, so a key is written once and never changes what it means.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from .aws import absent
from .resource import Found, Kind, Resource


@dataclass(frozen=True)
class Artifact:
    """A file, or the place where a template finds it.

    Parameters
    ----------
    bucket, key : str
    path : Path, optional
        None in a template: the user has put the file there.
    sha256 : bytes
    """

    bucket: str
    key: str
    path: Path | None = None
    sha256: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, path: Path, bucket: str, prefix: str) -> "Artifact":
        """Name the place of a file in a bucket."""
        digest = hashlib.sha256(path.read_bytes())
        key = f"{prefix}{path.stem}-{digest.hexdigest()[:16]}{path.suffix}"
        return cls(bucket, key, path, digest.digest())


def describe(name: str, artifact: Artifact) -> Resource:
    """Describe a file in the bucket."""
    return Resource(
        name,
        Object(),
        {"Bucket": artifact.bucket, "Key": artifact.key},
        facts={"path": artifact.path},
        after=("Bucket",),
    )


class Object(Kind):
    type = "Object"
    what = "file in the bucket"

    def find(self, aws, resource, properties):
        with absent("404", "NoSuchBucket", "NoSuchKey"):
            aws.client("s3").head_object(Bucket=properties["Bucket"], Key=properties["Key"])
            return Found(properties["Key"])
        return None

    def create(self, aws, resource, properties):
        aws.client("s3").upload_file(
            str(resource.facts["path"]), properties["Bucket"], properties["Key"]
        )

    def delete(self, aws, resource, found):
        """It goes when the bucket is emptied."""
