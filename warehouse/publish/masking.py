"""The tables of the published file, where it is not a plain copy of the candidate.

Phone numbers are masked, each with its keyed hash beside it. The views of a build by Spark become tables.

Not here: the keyed hash (`warehouse.privacy`), masking of printed text (`models.masking`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from models.marts import NUMBER, NUMBER_HASH, SCHEMA, columns
from models.masking import WORDS_COLUMNS
from warehouse.duckdb_tools import Column, copy_with_changes, literal, masked_words


def is_masked(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether the phone numbers of a published build, attached as `database`, are masked."""
    hash_columns = connection.execute(
        "select 1 from duckdb_columns() where (database_name, schema_name, column_name) = (?, ?, ?)",
        [database, SCHEMA, NUMBER_HASH],
    )
    return hash_columns.fetchone() is not None


def is_file_masked(file: Path) -> bool:
    """Whether the phone numbers of a published file are masked.

    Raises:
        duckdb.Error: the file is damaged.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        return is_masked(connection, "published")


def write_tables(
    connection: duckdb.DuckDBPyConnection,
    candidate: Path,
    file: Path,
    *,
    masks_phone_numbers: bool,
    sets_not_null: bool,
) -> None:
    """Writes the tables of the candidate to a new file.

    `masks_phone_numbers` masks the numbers; the connection has the macro `keyed_hash`. `sets_not_null` takes the not-null
    constraints from the contract, for views, which have none.
    """

    def change(schema: str, table: str, original: Sequence[Column]) -> Sequence[Column]:
        changed = _with_constraints(schema, table, original) if sets_not_null else original
        return _with_masks(changed) if masks_phone_numbers else changed

    connection.execute(f"attach {literal(candidate)} as candidate (read_only)")
    copy_with_changes(connection, "candidate", file, change)


def _with_constraints(schema: str, table: str, original: Sequence[Column]) -> list[Column]:
    nullable = {column.name: column.nullable for column in columns(table)} if schema == SCHEMA else {}
    return [replace(column, is_nullable=nullable.get(column.name, True)) for column in original]


def _with_masks(original: Sequence[Column]) -> list[Column]:
    masked = []
    for column in original:
        if column.name == NUMBER:
            masked.append(replace(column, value=f"left({NUMBER}, 3) || '…' || right({NUMBER}, 2)"))
            masked.append(replace(column, name=NUMBER_HASH, value=f"keyed_hash({NUMBER})"))
        elif column.name in WORDS_COLUMNS:
            masked.append(replace(column, value=masked_words(column.name)))
        else:
            masked.append(column)
    return masked
