"""The rows of the published file: all columns as contracted, or with phone numbers masked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from models.marts import NUMBER, NUMBER_HASH, SCHEMA, columns
from models.masking import WORDS_COLUMNS
from warehouse.foundation import (
    Column,
    DataPaths,
    Ledger,
    Settings,
    apply_limits,
    copy_with_changes,
    literal,
    masked_words,
)
from warehouse.privacy import load_keyed_hash
from warehouse.transform import spark


def _write_rows(settings: Settings, paths: DataPaths, file: Path) -> None:
    """Writes what the candidate's views show as tables, with what the contract says of nulls."""
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        connection.execute(f"attach {literal(paths.candidate)} as candidate (read_only)")
        copy_with_changes(connection, "candidate", file, _as_contracted)


def _as_contracted(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    nullable = {column.name: column.nullable for column in columns(table)} if schema == SCHEMA else {}
    return [replace(column, is_nullable=nullable.get(column.name, True)) for column in found]


def _is_masked(file: Path) -> bool:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        return is_masked(connection, "published")


def is_masked(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether the numbers of a published build, attached as `database`, are masked."""
    found = connection.execute(
        "select 1 from duckdb_columns() where (database_name, schema_name, column_name) = (?, ?, ?)",
        [database, SCHEMA, NUMBER_HASH],
    )
    return found.fetchone() is not None


def _write_masked(settings: Settings, paths: DataPaths, ledger: Ledger, file: Path) -> None:
    """Writes the candidate's tables with masked numbers, each with its keyed hash beside it."""
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        load_keyed_hash(settings, paths, ledger).show(connection)
        connection.execute(f"attach {literal(paths.candidate)} as candidate (read_only)")
        copy_with_changes(connection, "candidate", file, _masked_as_contracted if spark.is_spark(settings) else _masked)


def _masked_as_contracted(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    return _masked(schema, table, _as_contracted(schema, table, found))


def _masked(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    written = []
    for column in found:
        written.append(column)
        if column.name == NUMBER:
            written[-1] = replace(column, value=f"left({NUMBER}, 3) || '…' || right({NUMBER}, 2)")
            written.append(replace(column, name=NUMBER_HASH, value=f"keyed_hash({NUMBER})"))
        if column.name in WORDS_COLUMNS:
            written[-1] = replace(column, value=masked_words(column.name))
    return written
