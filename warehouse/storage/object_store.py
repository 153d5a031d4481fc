"""Object stores: what the warehouse does with files that lie under an `s3://` prefix instead of in a folder.

A place is a `cloudpathlib.S3Path`, which is put together and taken apart like a `pathlib.Path`; what is done there is done
by boto3's own client. Who may is found by boto3's usual chain (environment, shared files, roles), where the store is by
`AWS_ENDPOINT_URL` and `AWS_REGION`; transient errors are tried again by botocore's standard mode. DuckDB reads by its
httpfs, under the same credentials. A place that is sent to another process leaves its client behind, and finds there
cloudpathlib's own, which is made the same way. Nothing of this is imported unless a setting names a prefix.

An object is put in one request, or in parts that appear as one at the end, each held to a checksum on the way by boto3:
there is the old or the new, never a half.

Not here: which files lie where (`warehouse.config.paths`), what is in them.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from cloudpathlib import S3Client, S3Path

    AnyPath = Path | S3Path
else:
    AnyPath = Path
"""Where a file lies, or many: on a disk, or in an object store."""


SCHEME = "s3://"
# No letter that means something in a pattern of DuckDB's, or in an address.
_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=.-]+)*/?")
_BYTES_AT_A_TIME = 1 << 20
_GONE = ("NoSuchKey", "404")


class ObjectStoreFailed(Exception):
    """The store could not be reached, or did not do what was asked; the message names the place."""


class ObjectChanged(FileNotFoundError):
    """The object is no longer the one that was listed."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing says of an object. Its tag is another one whenever its content is."""

    size: int
    tag: str
    modified: datetime


def is_object(path: AnyPath) -> TypeGuard["S3Path"]:
    """Whether a place is in an object store."""
    return not isinstance(path, Path)


def path_of(prefix: str) -> "S3Path":
    """The place that a setting names.

    Raises:
        ValueError: it is no prefix, or the libraries for it are not installed.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("must be s3://bucket/prefix, of letters, digits and . _ = - alone")
    try:
        from cloudpathlib import S3Path
    except ModuleNotFoundError as error:
        raise ValueError(f"needs what the extra `s3` installs: pip install -e '.[s3]' ({error})") from error
    of_environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return S3Path(prefix.rstrip("/"), client=_client(of_environment))


@lru_cache(maxsize=4)
def _client(of_environment: tuple[tuple[str, str], ...]) -> "S3Client":
    """One client for a process, as long as its environment says the same of the store: it takes a while to make."""
    import boto3
    from cloudpathlib import S3Client

    return S3Client(boto3_session=boto3.Session())


# --- objects


def listed(prefix: "S3Path") -> dict[str, ObjectInfo]:
    """The objects under a prefix, by their names below it."""
    start = f"{prefix.key.rstrip('/')}/" if prefix.key else ""
    with _telling(prefix):
        pages = _boto(prefix).get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=start)
        return {
            one["Key"][len(start) :]: ObjectInfo(one["Size"], one["ETag"], one["LastModified"])
            for page in pages
            for one in page.get("Contents", ())
        }


def head_object(path: "S3Path") -> ObjectInfo:
    """What the store says of one object.

    Raises:
        FileNotFoundError: it is not there.
    """
    with _telling(path):
        found = _boto(path).head_object(Bucket=path.bucket, Key=path.key)
        return ObjectInfo(found["ContentLength"], found["ETag"], found["LastModified"])


def exists(path: "S3Path") -> bool:
    try:
        head_object(path)
    except FileNotFoundError:
        return False
    return True


def read(path: "S3Path") -> bytes:
    """What an object holds.

    Raises:
        FileNotFoundError: it is not there.
    """
    with _telling(path):
        return _boto(path).get_object(Bucket=path.bucket, Key=path.key)["Body"].read()


def sha256(path: "S3Path") -> str:
    """The hash of what an object holds, which is read without being kept."""
    digest = hashlib.sha256()
    with _telling(path):
        for chunk in _boto(path).get_object(Bucket=path.bucket, Key=path.key)["Body"].iter_chunks(_BYTES_AT_A_TIME):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(path: "S3Path", file: Path, tag: str | None = None) -> None:
    """Writes an object to a file.

    Raises:
        FileNotFoundError: it is not there.
        ObjectChanged: it is no longer the one with this tag.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _telling(path):
        # Broken off on the way, it is carried on with; a large one comes in parts, all of one version.
        try:
            _boto(path).download_file(path.bucket, path.key, str(file))
        except OSError as error:  # of the disk: no fault of the object's
            raise ObjectStoreFailed(f"{path} cannot be written to {file}: {error}") from error
    if tag and head_object(path).tag != tag:
        raise ObjectChanged(f"{path} is another than it was listed")


def put(file: Path, path: "S3Path") -> None:
    """Puts a finished file into the store, in place of what was there."""
    with _telling(path):
        _boto(path).upload_file(str(file), path.bucket, path.key)


def remove(path: "S3Path") -> None:
    """Removes an object that may not be there."""
    with _telling(path):
        _boto(path).delete_object(Bucket=path.bucket, Key=path.key)


def _boto(path: "S3Path"):
    return path.client.client


@contextmanager
def _telling(path: "S3Path") -> Iterator[None]:
    """What boto3 raises, in the words of this module."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            raise FileNotFoundError(f"{path} is not there") from error
        if code == "PreconditionFailed":
            raise ObjectChanged(f"{path} was replaced while it was read") from error
        raise ObjectStoreFailed(f"{path}: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise ObjectStoreFailed(f"{path}: {error}") from error


# --- DuckDB
