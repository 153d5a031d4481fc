"""DuckDB files as such: whether one is damaged, by opening it or by what DuckDB said when it read one; whether it holds rows.

DuckDB finds a damaged header or catalogue when it opens a file, and a damaged block when it reads that.

Not here: what follows (`warehouse.transform.build`, `warehouse.publish.publication`).
"""

from pathlib import Path

import duckdb

from warehouse.duckdb_tools.sql import literal

_SIGNS = (
    "not a valid DuckDB database file",
    "Corrupt database file",
    "Could not read enough bytes",
    "Failure while replaying WAL",
    "Serialization Error",
    "with version number",
    "database has been invalidated",
    "does not exist in the database file",
)


def is_corruption_error(words: str) -> bool:
    """Whether DuckDB's words mean a damaged file, and not a full disk, a lock or a query that cannot be run."""
    return any(sign in words for sign in _SIGNS)


def holds_rows(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> bool:
    """Whether a table's rows are in the file, where DuckDB numbers them (`rowid`): a view's lie elsewhere."""
    found = connection.execute(
        "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = (?, ?, ?)",
        [database, schema, table],
    )
    return found.fetchone() is not None


def corruption_reason(file: Path) -> str | None:
    """What is wrong with a file, in a line; None where it can be opened, is not there, or is somebody else's to open."""
    if not file.exists():
        return None
    try:
        with duckdb.connect() as connection:
            connection.execute(f"attach {literal(file)} as looked_at (read_only)")
            connection.execute("select count(*) from duckdb_columns() where database_name = 'looked_at'").fetchone()
            # A file that was cut can be opened, as long as its catalogue is there. Free blocks at its end DuckDB cuts itself.
            (bytes_noted,) = connection.execute(
                "select block_size * used_blocks from pragma_database_size() where database_name = 'looked_at'"
            ).fetchone()
            if file.stat().st_size < bytes_noted:
                return f"{file} is damaged (it was cut: {bytes_noted:,} bytes and more were written)"
    except duckdb.Error as error:
        words = " ".join(str(error).split())
        return f"{file} is damaged ({words[:200]})" if is_corruption_error(words) else None
    return None
