"""Health of DuckDB files: whether a file is damaged, whether an error of DuckDB means a damaged file.

DuckDB detects a damaged header or catalogue when it opens a file, and a damaged block when it reads that block.

Not here: what happens to a damaged file (`warehouse.transform.build`, `warehouse.publish.publication`).
"""

from pathlib import Path

import duckdb

from warehouse.duckdb_tools.session import new_session
from warehouse.duckdb_tools.sql import literal

_CORRUPTION_MESSAGES = (
    "not a valid DuckDB database file",
    "Corrupt database file",
    "Could not read enough bytes",
    "Failure while replaying WAL",
    "Serialization Error",
    "with version number",
    "database has been invalidated",
    "does not exist in the database file",
)


def is_corruption_error(message: str) -> bool:
    """Whether an error message of DuckDB means a damaged file, and not a full disk, a lock or a faulty query."""
    return any(text in message for text in _CORRUPTION_MESSAGES)


def holds_rows(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> bool:
    """Whether a relation is a table, whose rows are in the file and have a `rowid`; a view's rows are elsewhere."""
    table_found = connection.execute(
        "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = (?, ?, ?)",
        [database, schema, table],
    )
    return table_found.fetchone() is not None


def corruption_reason(file: Path) -> str | None:
    """The damage of a file, in one line; None if it can be opened, does not exist, or is locked by another process."""
    if not file.exists():
        return None
    try:
        with new_session() as connection:
            connection.execute(f"attach {literal(file)} as checked (read_only)")
            return truncation_reason(connection, "checked", file)
    except duckdb.Error as error:
        return damage_of(file, error)


def truncation_reason(connection: duckdb.DuckDBPyConnection, database: str, file: Path) -> str | None:
    """How much is missing from an attached file; None if it is whole. Raises duckdb.Error if its catalogue is damaged."""
    of_database = f"where database_name = {literal(database)}"
    connection.execute(f"select count(*) from duckdb_columns() {of_database}").fetchone()
    # A truncated file can be opened as long as its catalogue is there. DuckDB itself removes free blocks at the end.
    ((used_bytes,),) = connection.execute(
        f"select block_size * used_blocks from pragma_database_size() {of_database}"
    ).fetchall()
    if file.stat().st_size < used_bytes:
        return f"{file} is damaged (it is truncated: at least {used_bytes:,} bytes were written)"
    return None


def damage_of(file: Path, error: duckdb.Error) -> str | None:
    """The damage of a file that an error means, in one line; None if it means something else."""
    message = " ".join(str(error).split())
    return f"{file} is damaged ({message[:200]})" if is_corruption_error(message) else None
