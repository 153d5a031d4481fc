"""A DuckDB file written anew, table by table, with some columns other than they were.

Never updated in place: DuckDB leaves what a row held before in the file.

Not here: which columns, and why (`warehouse.publish.publication`, `warehouse.erasure.erase`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.duckdb_tools.sql import literal


@dataclass(frozen=True)
class Column:
    """A column of the new file, and the expression over the old table that gives it."""

    name: str
    sql_type: str
    is_nullable: bool
    comment: str | None
    value: str


Change = Callable[[str, str, Sequence[Column]], Sequence[Column]]
"""From schema, table and its columns as they are, the columns as they are to be."""


def copy_with_changes(connection: duckdb.DuckDBPyConnection, old: str, file: Path, change: Change) -> None:
    """Writes the tables of an attached database to a new file: rows in their order, comments, what may not be null."""
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
    connection.execute(f"attach {literal(file)} as written_anew")
    try:
        for schema, table, comment in tables(connection, old):
            columns = change(schema, table, columns_of(connection, old, schema, table))
            path = f'written_anew."{schema}"."{table}"'
            definition = ", ".join(
                f'"{column.name}" {column.sql_type}{"" if column.is_nullable else " not null"}' for column in columns
            )
            connection.execute(f'create schema if not exists written_anew."{schema}"')
            connection.execute(f"create table {path} ({definition})")
            values = ", ".join(column.value for column in columns)
            connection.execute(f'insert into {path} select {values} from {old}."{schema}"."{table}"')
            if comment:
                connection.execute(f"comment on table {path} is {literal(comment)}")
            for column in columns:
                if column.comment:
                    connection.execute(f'comment on column {path}."{column.name}" is {literal(column.comment)}')
        connection.execute("checkpoint written_anew")
    finally:
        connection.execute("detach written_anew")


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, str | None]]:
    """Schema, name and comment of each table of an attached database, and of each view on rows that lie elsewhere."""
    return connection.execute(
        "select schema_name, table_name, comment from duckdb_tables() where database_name = $database"
        " union all select schema_name, view_name, comment from duckdb_views()"
        " where database_name = $database and not internal order by all",
        {"database": database},
    ).fetchall()


def columns_of(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> list[Column]:
    """The columns of a table, each as it is."""
    found = connection.execute(
        "select column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
        [database, schema, table],
    ).fetchall()
    return [Column(name, kind, is_nullable, comment, f'"{name}"') for name, kind, is_nullable, comment in found]
