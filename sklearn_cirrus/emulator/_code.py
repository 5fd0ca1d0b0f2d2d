"""The zip of a function: where it comes from, what is checked, where it is unpacked."""

import base64
import binascii
import hashlib
import io
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ._errors import ApiError, invalid
from ._limits import MIB, UNZIPPED

logger = logging.getLogger(__name__)
_SOURCES = ("ZipFile", "S3Bucket", "ImageUri")


@dataclass(frozen=True)
class Code:
    """An unpacked zip.

    Attributes
    ----------
    folder : Path
        Read by all slots, written by none.
    size : int
        Bytes of the zip.
    sha256 : str
        Of the zip, in base64.
    location : str
        Where it came from.
    """

    folder: Path
    size: int
    sha256: str
    location: str


def fetch_zip(request: dict, s3_endpoint_url: str | None) -> tuple[bytes, str]:
    """Give the bytes of the zip that a request names, and where they came from.

    Raises
    ------
    ApiError
        None or several are named, or it cannot be read.
    """
    named = [source for source in _SOURCES if request.get(source)]
    if "ImageUri" in named:
        raise invalid("Container images are not emulated; give a zip.")
    if len(named) != 1:
        raise invalid("Please provide a source for function code: ZipFile, or S3Bucket and S3Key.")
    if named == ["ZipFile"]:
        try:
            return base64.b64decode(request["ZipFile"], validate=True), "ZipFile"
        except (binascii.Error, ValueError, TypeError) as error:
            raise invalid("Could not decode ZipFile: it is not base64.") from error
    return _read_object(request, s3_endpoint_url)


def unpack(data: bytes, location: str, folder: Path) -> Code:
    """Unpack a zip into a folder that does not exist yet.

    Raises
    ------
    ApiError
        It is not a zip, or too large when unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) >= UNZIPPED:
                raise invalid(f"Unzipped size must be smaller than {UNZIPPED} bytes")
            folder.mkdir(parents=True)
            unreadable = []
            for member in members:
                path = archive.extract(member, folder)
                mode = (member.external_attr >> 16) & 0o777
                if not member.is_dir():
                    if mode and not mode & 0o004:
                        unreadable.append(member.filename)
                    os.chmod(path, (mode or 0o644) & 0o555 | 0o444)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    if unreadable:
        logger.warning(
            "%d files of the zip have modes that keep others from reading them (%s first); on "
            "Lambda the function could not open them",
            len(unreadable),
            unreadable[0],
        )
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return Code(folder, len(data), digest, location)


def _read_object(request: dict, s3_endpoint_url: str | None) -> tuple[bytes, str]:
    """Read the zip from S3, through boto3 and what it is configured with."""
    import boto3
    import botocore.exceptions

    bucket, key = request["S3Bucket"], request.get("S3Key")
    if not key:
        raise invalid("S3Key is missing.")
    extra = {"VersionId": request["S3ObjectVersion"]} if request.get("S3ObjectVersion") else {}
    try:
        client = boto3.client("s3", endpoint_url=s3_endpoint_url)
        answer = client.get_object(Bucket=bucket, Key=key, **extra)
        if answer["ContentLength"] > UNZIPPED:
            raise invalid(f"The zip has more than {UNZIPPED // MIB} MiB.")
        return answer["Body"].read(), f"s3://{bucket}/{key}"
    except botocore.exceptions.ClientError as error:
        detail = error.response.get("Error", {})
        raise invalid(
            f"Error occurred while GetObject. S3 Error Code: {detail.get('Code')}. "
            f"S3 Error Message: {detail.get('Message')}"
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise ApiError("ServiceException", 500, f"S3 cannot be reached: {error}") from error
