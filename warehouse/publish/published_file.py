"""The content of a published file: the candidate's tables, `build_info`, comments. The file is a copy
of the candidate, unless phone numbers are masked or Spark made the build: then each table is written again.

Not here: when a file becomes the published one (`warehouse.publish.publication`), the keyed hash (`warehouse.privacy`).
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from models.marts import CONTACT_REPORTS, MARTS, NUMBER, NUMBER_HASH, SCHEMA, columns, description, published_columns
from models.masking import ID_COLUMNS, PROVIDER_COLUMNS, masked
from warehouse.config import DataPaths, Settings, sendmart_version
from warehouse.duckdb_tools import (
    Column,
    apply_limits,
    attached,
    copy_with_changes,
    fetch_row,
    holds_rows,
    list_tables,
    literal,
    masked_value,
)
from warehouse.ledger import Ledger
from warehouse.privacy import load_keyed_hash
from warehouse.storage import FileStat
from warehouse.transform.spark.builds import is_spark


class BuildInfo(NamedTuple):
    """A published build: its id, the time of its first publication (UTC), and the last log date of its data."""

    build_id: str
    published_at: datetime
    data_until: date | None


# --- what a file holds


def read_build_info(file: Path) -> BuildInfo:
    """Reads which build a published file holds. Raises duckdb.Error if it is damaged, or is no published build."""
    return _read_published(file, FileStat.of(file))[0]


def is_file_masked(file: Path) -> bool:
    """Whether the phone numbers of a published file are masked. Raises duckdb.Error if the file is damaged."""
    return _read_published(file, FileStat.of(file))[1]


# A refresh asks several times, and opening a file takes longer than reading it.
@lru_cache(maxsize=8)
def _read_published(file: Path, _stat: FileStat) -> tuple[BuildInfo, bool]:
    with attached(published=file) as connection:
        build_id, published_at, data_until = fetch_row(
            connection, f"select build_id, published_at, data_until from published.{SCHEMA}.build_info"
        )
        return BuildInfo(build_id, published_at.replace(tzinfo=UTC), data_until), is_masked(connection, "published")


def is_masked(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether the phone numbers of a published build, attached as `database`, are masked."""
    query = "from duckdb_columns() where (database_name, schema_name, column_name) = (?, ?, ?)"
    return connection.execute(query, [database, SCHEMA, NUMBER_HASH]).fetchone() is not None


def row_digests_sql(connection: duckdb.DuckDBPyConnection, database: str, report: str) -> str | None:
    """A query for the row digests of a contact-level report by campaign; None without. Release 0.2 had another schema."""
    if report not in CONTACT_REPORTS:
        return None
    for schema, table, row_count in (
        ("internal", f"int_{report}_row_digests", "row_count"),
        ("digests", f"{report}_digested", "rows_of_campaign"),
    ):
        query = "from duckdb_columns() where (database_name, schema_name, table_name) = (?, ?, ?)"
        if connection.execute(query, [database, schema, table]).fetchone():
            return f"select campaign_id, {row_count} as row_count, digest from {database}.{schema}.{table}"
    return None


# --- writing a file


def write_published_file(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    file: Path,
    info: BuildInfo,
    override_reason: str | None = None,
    as_of: date | None = None,
) -> None:
    """Writes the candidate to a new file. `override_reason`: why its release gate was overridden. `as_of`: of a replay."""
    for leftover in (file, file.with_name(f"{file.name}.wal")):
        leftover.unlink(missing_ok=True)
    if settings.mask_phone_numbers or (is_spark(settings) and settings.spark_export):
        _write_tables(settings, paths, ledger, file)
    else:
        shutil.copyfile(paths.candidate, file)
    with attached(read_only=False, publication=file) as connection:
        _write_build_info(connection, info, settings, override_reason, as_of)
        _write_comments(connection, is_masked=settings.mask_phone_numbers)
        connection.execute("checkpoint publication")
        connection.execute("detach publication")


def _write_tables(settings: Settings, paths: DataPaths, ledger: Ledger, file: Path) -> None:
    def change(schema: str, table: str, original: Sequence[Column]) -> Sequence[Column]:
        if is_spark(settings):  # a view has no not-null constraints: those of the contract
            is_mart = table in MARTS and MARTS[table].schema == schema
            nullable = {column.name: column.nullable for column in columns(table)} if is_mart else {}
            original = [replace(column, is_nullable=nullable.get(column.name, True)) for column in original]
        return list(_masked(original)) if settings.mask_phone_numbers else original

    with attached(candidate=paths.candidate) as connection:
        apply_limits(connection, settings)
        if settings.mask_phone_numbers:
            load_keyed_hash(paths, ledger).create_macro(connection)
        copy_with_changes(connection, "candidate", file, change)


def _masked(original: Sequence[Column]) -> Iterator[Column]:
    for column in original:
        name, value = column.name, masked_value(column.name, column.name)
        if name in ID_COLUMNS | PROVIDER_COLUMNS:
            # The hash keeps keys of several recipients apart, and is the same in every mart.
            value = f"if({value} = {name}, {name}, {value} || '~' || left(keyed_hash({name}), 16))"
        yield column if value == name else replace(column, value=value)
        if name == NUMBER:
            yield replace(column, name=NUMBER_HASH, value=f"keyed_hash({NUMBER})")


def _write_build_info(
    connection: duckdb.DuckDBPyConnection,
    info: BuildInfo,
    settings: Settings,
    override_reason: str | None,
    as_of: date | None,
) -> None:
    definition = ", ".join(
        f"{column.name} {column.sql_type}{'' if column.nullable else ' not null'}" for column in columns("build_info")
    )
    values = {
        **info._asdict(),
        "published_at": info.published_at.replace(tzinfo=None),
        "version": sendmart_version(),
        "settings": settings.as_json(),
        "override_reason": masked(override_reason)
        if override_reason and settings.mask_phone_numbers
        else override_reason,
        "as_of": as_of,
    }
    connection.execute(f"create or replace table publication.{SCHEMA}.build_info ({definition})")
    connection.execute(
        f"insert into publication.{SCHEMA}.build_info ({', '.join(values)})"
        f" values ({', '.join(f'${name}' for name in values)})",
        values,
    )


def _write_comments(connection: duckdb.DuckDBPyConnection, *, is_masked: bool) -> None:
    """Comments the marts and their columns with the descriptions of the contract."""
    for schema, mart, _ in list_tables(connection, "publication"):
        if mart not in MARTS or MARTS[mart].schema != schema:
            continue
        table = f"publication.{schema}.{mart}"
        kind = "table" if holds_rows(connection, "publication", schema, mart) else "view"
        connection.execute(f"comment on {kind} {table} is {literal(description(mart))}")
        for column in published_columns(mart, is_masked=is_masked):
            connection.execute(f"comment on column {table}.{column.name} is {literal(column.description)}")
