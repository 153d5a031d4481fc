"""Object stores: the operations of the warehouse on files under an `s3://` prefix, as `cloudpathlib.S3Path`, by boto3.

Credentials come from boto3's usual chain, the store's address from `AWS_ENDPOINT_URL` and `AWS_REGION`; botocore's standard
mode retries transient errors. Neither boto3 nor cloudpathlib is imported unless a setting names a prefix. boto3 uploads an
object in one request, or in parts that become visible together: a reader sees the old object or the new one.

Not here: which file lies where (`warehouse.config.paths`), the content of the files.
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
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cloudpathlib import S3Client, S3Path
    from mypy_boto3_s3.client import S3Client as S3ApiClient
    from typing_extensions import TypeIs

    AnyPath = Path | S3Path
else:
    AnyPath = Path
"""A file or folder on disk, or an object or prefix in an object store."""

SCHEME = "s3://"
# No character that is special in a glob of DuckDB, or in a URL.
_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=.-]+)*/?")
_CHUNK_BYTES = 1 << 20
_NOT_FOUND_CODES = ("NoSuchKey", "404")


class ObjectStoreFailed(Exception):
    """The store could not be reached, or refused a request; the message names the path."""


class ObjectChanged(FileNotFoundError):
    """The object was replaced after it was listed."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object's metadata in a listing. The tag changes whenever the content changes."""

    size: int
    tag: str
    modified: datetime


def is_object(path: AnyPath) -> "TypeIs[S3Path]":
    """Whether a path is in an object store."""
    return not isinstance(path, Path)


def path_of(prefix: str) -> "S3Path":
    """The path for a prefix as a setting gives it; ValueError if it is invalid or the extra `s3` is not installed."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("must be s3://bucket/prefix, of letters, digits and . _ = - alone")
    try:
        from cloudpathlib import S3Path
    except ModuleNotFoundError as error:
        raise ValueError(f"needs the extra `s3`: pip install -e '.[s3]' ({error})") from error
    aws_variables = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return S3Path(prefix.rstrip("/"), client=_client(aws_variables))


@lru_cache(maxsize=4)
def _client(aws_variables: tuple[tuple[str, str], ...]) -> "S3Client":
    """The process's client. A client takes long to make, so it is kept until the `AWS_*` variables change."""
    import boto3
    from cloudpathlib import S3Client

    return S3Client(boto3_session=boto3.Session())


def list_objects(prefix: "S3Path") -> dict[str, ObjectInfo]:
    """The objects under a prefix, by their names relative to it."""
    start = f"{prefix.key.rstrip('/')}/" if prefix.key else ""
    with _translated_errors(prefix):
        pages = _boto(prefix).get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=start)
        return {
            entry["Key"][len(start) :]: ObjectInfo(entry["Size"], entry["ETag"], entry["LastModified"])
            for page in pages
            for entry in page.get("Contents", ())
        }


def head_object(path: "S3Path") -> ObjectInfo:
    """The metadata of one object; FileNotFoundError if there is none."""
    with _translated_errors(path):
        head = _boto(path).head_object(Bucket=path.bucket, Key=path.key)
        return ObjectInfo(head["ContentLength"], head["ETag"], head["LastModified"])


def exists(path: "S3Path") -> bool:
    try:
        head_object(path)
    except FileNotFoundError:
        return False
    return True


def read(path: "S3Path") -> bytes:
    """The content of an object; FileNotFoundError if there is none."""
    with _translated_errors(path):
        return _boto(path).get_object(Bucket=path.bucket, Key=path.key)["Body"].read()


def sha256(path: "S3Path") -> str:
    """The SHA-256 of an object's content, read in chunks."""
    digest = hashlib.sha256()
    with _translated_errors(path):
        for chunk in _boto(path).get_object(Bucket=path.bucket, Key=path.key)["Body"].iter_chunks(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(path: "S3Path", file: Path, tag: str | None = None) -> None:
    """Downloads an object; FileNotFoundError if there is none, ObjectChanged if it no longer has this tag."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _translated_errors(path):
        # boto3 resumes a broken download, and takes all parts of a large object from one version.
        try:
            _boto(path).download_file(path.bucket, path.key, str(file))
        except OSError as error:  # an error of the local disk
            raise ObjectStoreFailed(f"{path} cannot be written to {file}: {error}") from error
    if tag and head_object(path).tag != tag:
        raise ObjectChanged(f"{path} was replaced after it was listed")


def put(file: Path, path: "S3Path") -> None:
    """Uploads a finished file; replaces the object if there is one."""
    with _translated_errors(path):
        _boto(path).upload_file(str(file), path.bucket, path.key)


def remove(path: "S3Path") -> None:
    """Removes an object; does nothing if there is none."""
    with _translated_errors(path):
        _boto(path).delete_object(Bucket=path.bucket, Key=path.key)


def _boto(path: "S3Path") -> "S3ApiClient":
    return path.client.client


@contextmanager
def _translated_errors(path: "S3Path") -> Iterator[None]:
    """Raises this module's exceptions in place of boto3's."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _NOT_FOUND_CODES:
            raise FileNotFoundError(f"{path} does not exist") from error
        if code == "PreconditionFailed":
            raise ObjectChanged(f"{path} was replaced while it was read") from error
        raise ObjectStoreFailed(f"{path}: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise ObjectStoreFailed(f"{path}: {error}") from error


def store_access(path: "S3Path") -> dict[str, str | None]:
    """Address and credentials of a store, as boto3 finds them now, as the options of an s3 secret of DuckDB."""
    with _translated_errors(path):
        credentials = path.client.sess.get_credentials()
        frozen = credentials and credentials.get_frozen_credentials()
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise ObjectStoreFailed(f"{path}: no credentials were found")
    meta = _boto(path).meta
    endpoint = urlsplit(meta.endpoint_url)
    style = (getattr(meta.config, "s3", None) or {}).get("addressing_style")
    # boto3's rule: stores other than Amazon's seldom have a host name per bucket.
    is_path_style = style == "path" or (
        style != "virtual" and not endpoint.netloc.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    )
    return {
        "key_id": frozen.access_key,
        "secret": frozen.secret_key,
        "session_token": frozen.token,
        "region": meta.region_name,
        "endpoint": f"{endpoint.netloc}{endpoint.path.rstrip('/')}",
        "url_style": "path" if is_path_style else "vhost",
        "use_ssl": str(endpoint.scheme == "https").lower(),
    }
