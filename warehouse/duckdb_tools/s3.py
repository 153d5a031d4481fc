"""Lets a DuckDB connection read objects under s3://."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from warehouse.duckdb_tools.sql import literal

if TYPE_CHECKING:
    import duckdb
    from cloudpathlib import S3Path

    AnyPath = Path | S3Path
else:
    AnyPath = Path
from warehouse.storage.object_store import ObjectStoreFailed, _boto, _telling, is_object


def enable_s3(connection: "duckdb.DuckDBPyConnection", path: AnyPath) -> None:
    """Lets a connection read what lies at a place: of an object store by httpfs, under the credentials of this moment."""
    if not is_object(path):
        return
    import duckdb
    import duckdb_extension_httpfs

    # From the package: nothing is downloaded.
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.load_extension(str(folder / "httpfs.duckdb_extension"))
    told = ", ".join(f"{name} {literal(value)}" for name, value in _secret(path).items())
    try:
        connection.execute(f"create or replace temporary secret object_store (type s3, {told})")
    except duckdb.Error:
        raise ObjectStoreFailed(f"{path}: DuckDB does not take the credentials") from None  # it would quote them


def _secret(path: "S3Path") -> dict[str, str]:
    with _telling(path):
        credentials = path.client.sess.get_credentials()
        frozen = credentials and credentials.get_frozen_credentials()
    if frozen is None:
        raise ObjectStoreFailed(f"{path}: no credentials were found")
    meta = _boto(path).meta
    endpoint = urlsplit(meta.endpoint_url)
    style = (meta.config.s3 or {}).get("addressing_style")
    # As boto3 does it: other stores than Amazon's seldom have a name for each bucket.
    is_path = style == "path" or (
        style != "virtual" and not endpoint.netloc.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    )
    secret = {
        "key_id": frozen.access_key,
        "secret": frozen.secret_key,
        "session_token": frozen.token,
        "region": meta.region_name,
        "endpoint": f"{endpoint.netloc}{endpoint.path.rstrip('/')}",
        "url_style": "path" if is_path else "vhost",
        "use_ssl": str(endpoint.scheme == "https").lower(),
    }
    return {name: value for name, value in secret.items() if value}
