"""The bucket of these tests, and what is in it."""

import boto3

BUCKET = "cirrus-bucket"


def objects():
    """Return the names of all objects in the bucket."""
    client = boto3.client("s3")
    found = [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    client.close()
    return found
