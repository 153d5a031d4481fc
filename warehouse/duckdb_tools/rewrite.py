"""Copies of DuckDB files, table by table, with changed columns.

A file is copied and not updated, because DuckDB leaves the old values of an updated row in the file.

Not here: which columns change (`warehouse.publish.published_file`, `warehouse.erasure.erase`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.duckdb_tools.sql import literal


@dataclass(frozen=True)
class Column:
    """A column of the new file, and its value as an expression over the old table."""

    name: str
    sql_type: str
    is_nullable: bool
    comment: str | None
    value: str


Change = Callable[[str, str, Sequence[Column]], Sequence[Column]]
"""Called with schema, table and the old columns; returns the new columns."""


def copy_with_changes(connection: duckdb.DuckDBPyConnection, old: str, file: Path, change: Change) -> None:
    """Writes the tables of an attached database to a new file, with row order, comments and not-null constraints."""
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
    connection.execute(f"attach {literal(file)} as copied")
    try:
        for schema, table, comment in list_tables(connection, old):
            columns = change(schema, table, columns_of(connection, old, schema, table))
            relation = f'copied."{schema}"."{table}"'
            definition = ", ".join(
                f'"{column.name}" {column.sql_type}{"" if column.is_nullable else " not null"}' for column in columns
            )
            connection.execute(f'create schema if not exists copied."{schema}"')
            connection.execute(f"create table {relation} ({definition})")
            values = ", ".join(column.value for column in columns)
            connection.execute(f'insert into {relation} select {values} from {old}."{schema}"."{table}"')
            if comment:
                connection.execute(f"comment on table {relation} is {literal(comment)}")
            for column in columns:
                if column.comment:
                    connection.execute(f'comment on column {relation}."{column.name}" is {literal(column.comment)}')
        connection.execute("checkpoint copied")
    finally:
        connection.execute("detach copied")


def list_tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, str | None]]:
    """Schema, name and comment of each table and view of an attached database."""
    return connection.execute(
        "select schema_name, table_name, comment from duckdb_tables() where database_name = $database"
        " union all select schema_name, view_name, comment from duckdb_views()"
        " where database_name = $database and not internal order by all",
        {"database": database},
    ).fetchall()


def columns_of(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> list[Column]:
    """The columns of a table, unchanged."""
    rows = connection.execute(
        "select column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
        [database, schema, table],
    ).fetchall()
    return [Column(name, kind, is_nullable, comment, f'"{name}"') for name, kind, is_nullable, comment in rows]
