"""The bucket: private, encrypted, over TLS only; what runs leave behind expires."""

import json

from .aws import absent
from .names import Names, tags
from .policy import policy
from .resource import Found, Kind, NotOurs, Resource, belongs

RUNS, CODE, SERVER = "runs/", "code/", "server/"  # all that deploy and fits put into it
EXPIRE_DAYS = 14  # of objects that a fit has left behind
_BATCH = 1000  # objects that S3 deletes in one request
_PROPERTIES = {
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        ]
    },
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "runs-expire",
                "Status": "Enabled",
                "Prefix": RUNS,
                "ExpirationInDays": EXPIRE_DAYS,
            },
            {
                "Id": "uploads-are-finished",
                "Status": "Enabled",
                "Prefix": "",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
        ]
    },
}


def describe(names: Names) -> list[Resource]:
    """Describe the bucket and its policy."""
    document = policy("bucket", partition=names.partition, bucket=names.bucket)
    return [
        Resource(
            "Bucket",
            Bucket(),
            {"BucketName": names.bucket, "Tags": tags(names.stack, "bucket"), **_PROPERTIES},
        ),
        Resource(
            "BucketPolicy",
            BucketPolicy(),
            {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document},
        ),
    ]


class Bucket(Kind):
    type = "AWS::S3::Bucket"
    what = "bucket"

    def find(self, aws, resource, properties):
        name = properties["BucketName"]
        s3 = aws.client("s3")
        is_there = False
        with absent("404", "NoSuchBucket"):
            s3.head_bucket(Bucket=name)
            is_there = True
        if not is_there:
            return None
        bucket_tags = []
        with absent("NoSuchTagSet"):
            bucket_tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
        if belongs(bucket_tags, resource.facts["stack"]):
            return Found(name, raw=bucket_tags)
        # S3 gives tags in a second call. A deploy that was cut off before it has left this.
        if bucket_tags or s3.list_objects_v2(Bucket=name, MaxKeys=1).get("Contents"):
            raise NotOurs(f"bucket {name}")
        return Found(name, raw=[])

    def create(self, aws, resource, properties):
        place = {}
        if aws.region != "us-east-1":  # which may not be named
            place["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
        aws.client("s3").create_bucket(Bucket=properties["BucketName"], **place)

    def current(self, aws, resource, found, properties):
        s3, now = aws.client("s3"), dict.fromkeys(_PROPERTIES)
        now["Tags"] = properties["Tags"] if found.raw else None
        with absent("OwnershipControlsNotFoundError"):
            now["OwnershipControls"] = s3.get_bucket_ownership_controls(Bucket=found.id)[
                "OwnershipControls"
            ]
        with absent("ServerSideEncryptionConfigurationNotFoundError"):
            rules = s3.get_bucket_encryption(Bucket=found.id)["ServerSideEncryptionConfiguration"]
            now["BucketEncryption"] = {
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": {
                            "SSEAlgorithm": rule["ApplyServerSideEncryptionByDefault"][
                                "SSEAlgorithm"
                            ]
                        }
                    }
                    for rule in rules["Rules"]
                ]
            }
        with absent("NoSuchPublicAccessBlockConfiguration"):
            now["PublicAccessBlockConfiguration"] = s3.get_public_access_block(Bucket=found.id)[
                "PublicAccessBlockConfiguration"
            ]
        with absent("NoSuchLifecycleConfiguration"):
            answer = s3.get_bucket_lifecycle_configuration(Bucket=found.id)
            if _sorted(answer["Rules"]) == _sorted(_lifecycle(properties)):
                now["LifecycleConfiguration"] = properties["LifecycleConfiguration"]
        return now

    def update(self, aws, resource, found, properties, changed):
        s3 = aws.client("s3")
        if "Tags" in changed:
            s3.put_bucket_tagging(Bucket=found.id, Tagging={"TagSet": properties["Tags"]})
        if "OwnershipControls" in changed:
            s3.put_bucket_ownership_controls(
                Bucket=found.id, OwnershipControls=properties["OwnershipControls"]
            )
        if "BucketEncryption" in changed:
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            s3.put_bucket_encryption(
                Bucket=found.id, ServerSideEncryptionConfiguration={"Rules": [rule]}
            )
        if "PublicAccessBlockConfiguration" in changed:
            s3.put_public_access_block(
                Bucket=found.id,
                PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"],
            )
        if "LifecycleConfiguration" in changed:
            s3.put_bucket_lifecycle_configuration(
                Bucket=found.id, LifecycleConfiguration={"Rules": _lifecycle(properties)}
            )

    def delete(self, aws, resource, found):
        s3 = aws.client("s3")
        if not found.raw:
            return f"the bucket {found.id} is empty, but bears no tag of this stack: it was left"
        for prefix in (RUNS, CODE, SERVER):
            empty(s3, found.id, prefix)
        kept = s3.list_object_versions(Bucket=found.id, MaxKeys=1)
        if kept.get("Versions") or kept.get("DeleteMarkers"):
            return (
                f"the bucket {found.id} holds objects that are not of this stack's runs and was "
                f"kept with them: look at them with `aws s3 ls s3://{found.id} --recursive`"
            )
        s3.delete_bucket(Bucket=found.id)
        return None


def _lifecycle(properties) -> list[dict]:
    """Return the lifecycle rules in the words of S3's API, which are not CloudFormation's."""
    rules = []
    for rule in properties["LifecycleConfiguration"]["Rules"]:
        rule = dict(rule)
        written = {
            "ID": rule.pop("Id"),
            "Status": rule.pop("Status"),
            "Filter": {"Prefix": rule.pop("Prefix")},
        }
        if "ExpirationInDays" in rule:
            written["Expiration"] = {"Days": rule.pop("ExpirationInDays")}
        rules.append(written | rule)
    return rules


def _sorted(rules) -> list[dict]:
    """Order rules, as S3 gives them back in any order; an empty prefix may be left out."""
    same = [
        {**rule, "Filter": {"Prefix": (rule.get("Filter") or {}).get("Prefix", "")}}
        for rule in rules
    ]
    return sorted(same, key=lambda rule: rule["ID"])


def empty(s3, bucket: str, prefix: str) -> None:
    """Delete all objects that begin with a prefix, and end the uploads that were not finished."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
        for first in range(0, len(keys), _BATCH):
            batch = {"Objects": keys[first : first + _BATCH], "Quiet": True}
            s3.delete_objects(Bucket=bucket, Delete=batch)
    uploads = s3.get_paginator("list_multipart_uploads")
    for page in uploads.paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", ()):
            with absent("NoSuchUpload"):
                s3.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )


class BucketPolicy(Kind):
    type = "AWS::S3::BucketPolicy"
    what = "policy of the bucket"

    def find(self, aws, resource, properties):
        if not isinstance(properties["Bucket"], str):
            return None  # there is no bucket yet
        with absent("NoSuchBucketPolicy"):
            text = aws.client("s3").get_bucket_policy(Bucket=properties["Bucket"])["Policy"]
            return Found(properties["Bucket"], raw=json.loads(text))
        return None

    def create(self, aws, resource, properties):
        aws.client("s3").put_bucket_policy(
            Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"])
        )

    def current(self, aws, resource, found, properties):
        return {"PolicyDocument": found.raw}

    def update(self, aws, resource, found, properties, changed):
        self.create(aws, resource, properties)

    def delete(self, aws, resource, found):
        """It goes with the bucket, and stays with one that is kept."""
