"""Lets a DuckDB connection read objects under `s3://`, by its httpfs extension.

Not here: how boto3 finds the store and the credentials (`warehouse.storage.object_store`).
"""

from pathlib import Path

import duckdb

from warehouse.duckdb_tools.sql import literal
from warehouse.storage import AnyPath, ObjectStoreFailed, is_object, store_access


def enable_s3(connection: duckdb.DuckDBPyConnection, path: AnyPath) -> None:
    """Lets a connection read objects of this store, with the credentials of this moment; ObjectStoreFailed without any."""
    if not is_object(path):
        return
    import duckdb_extension_httpfs

    # The extension comes with its Python package: nothing is downloaded.
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.load_extension(str(folder / "httpfs.duckdb_extension"))
    secret = ", ".join(f"{name} {literal(value)}" for name, value in store_access(path).items() if value)
    try:
        connection.execute(f"create or replace temporary secret object_store (type s3, {secret})")
    except duckdb.Error:
        # Without the cause: DuckDB's message would quote the credentials.
        raise ObjectStoreFailed(f"{path}: DuckDB does not accept the credentials") from None
