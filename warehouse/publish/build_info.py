"""The table `build_info` of a published build, and the comments on its tables and columns.

Not here: the rows of the marts (`warehouse.publish.masking`), the meaning of the columns (`models.marts`).
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from models.marts import MARTS, SCHEMA, columns, description, published_columns
from warehouse.duckdb_tools import fetch_row, holds_rows, literal


class BuildInfo(NamedTuple):
    """A published build: its id, the time of its first publication (UTC), and the last log date of its data."""

    build_id: str
    published_at: datetime
    data_until: date | None


def read_build_info(file: Path) -> BuildInfo:
    """Reads which build a published file holds.

    Raises:
        duckdb.Error: the file is damaged, or is no published build.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        build_id, published_at, data_until = fetch_row(
            connection, f"select build_id, published_at, data_until from published.{SCHEMA}.build_info"
        )
    return BuildInfo(build_id, published_at.replace(tzinfo=UTC), data_until)


def write_build_info(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    info: BuildInfo,
    *,
    version: str,
    settings_json: str,
    override_reason: str | None,
) -> None:
    """Writes `build_info` to an attached build. `override_reason`: why the release gate was overridden."""
    definition = ", ".join(
        f"{column.name} {column.sql_type}{'' if column.nullable else ' not null'}" for column in columns("build_info")
    )
    connection.execute(f"create or replace table {database}.{SCHEMA}.build_info ({definition})")
    connection.execute(
        f"insert into {database}.{SCHEMA}.build_info by name select $build_id as build_id,"
        " $published_at::timestamp as published_at, $data_until::date as data_until, $version as version,"
        " $settings as settings, $override_reason as override_reason",
        {
            "build_id": info.build_id,
            "published_at": info.published_at.replace(tzinfo=None),
            "data_until": info.data_until,
            "version": version,
            "settings": settings_json,
            "override_reason": override_reason,
        },
    )


def write_comments(connection: duckdb.DuckDBPyConnection, database: str, *, is_masked: bool) -> None:
    """Comments the marts of an attached build and their columns with the descriptions of the contract."""
    for mart in MARTS:
        table = f"{database}.{SCHEMA}.{mart}"
        kind = "table" if holds_rows(connection, database, SCHEMA, mart) else "view"
        connection.execute(f"comment on {kind} {table} is {literal(description(mart))}")
        for column in published_columns(mart, is_masked=is_masked):
            connection.execute(f"comment on column {table}.{column.name} is {literal(column.description)}")
