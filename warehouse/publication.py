"""Publication: a candidate becomes `published/marts.duckdb`, whole, in one rename.

Readers keep the file that they have open; who opens it next sees the new build. The file that is being built is never
the one that is read.

Not here: whether a candidate may be published (`quality.gate`).
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb

from models.marts import MARTS, NUMBER, NUMBER_HASH, SCHEMA, columns, description, published_columns
from warehouse.build import sendmart_version
from warehouse.keyed_hash import keyed_hash
from warehouse.ledger import Build, Ledger, now
from warehouse.limits import keep_within_limits
from warehouse.paths import DataPaths, put_in_place, remove
from warehouse.rewriting import Column, write_anew
from warehouse.settings import Settings
from warehouse.sql import literal


def publish(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> datetime:
    """Publishes the candidate; gives the moment of publication (UTC).

    Killed at any point, it leaves the old build or the new one, and can be repeated.
    """
    published_at = now()
    place = paths.published_marts
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.tmp")
    for leftover in (aside, aside.with_name(f"{aside.name}.wal")):
        leftover.unlink(missing_ok=True)
    if settings.mask_numbers:
        _write_masked(settings, paths, ledger, aside)
    else:
        shutil.copyfile(paths.candidate, aside)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(aside)} as publication")
        _add_build_info(connection, settings, build, published_at)
        _add_comments(connection, is_masked=settings.mask_numbers)
        connection.execute("checkpoint publication")
        connection.execute("detach publication")
    # A write-ahead log belongs to the file it came with: left by a reader who wrote, it would spoil the next.
    remove(place.with_name(f"{place.name}.wal"))
    # Published again, under another setting: what was exported of it is not what it is about to hold.
    ledger.forget_exports(build.build_id)
    put_in_place(aside, place)
    ledger.note_publication(build.build_id, published_at)
    return published_at


def is_published(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> bool:
    """Whether the build is what is published, with its numbers masked or not as is set."""
    last = ledger.last_publication()
    if last is None or last[0] != build.build_id or not paths.published_marts.exists():
        return False
    try:
        with duckdb.connect() as connection:
            connection.execute(f"attach {literal(paths.published_marts)} as published (read_only)")
            return is_masked(connection, "published") == settings.mask_numbers
    except duckdb.Error:  # what cannot be read is published again
        return False


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
        keep_within_limits(connection, settings)
        keyed_hash(settings, paths, ledger).show(connection)
        connection.execute(f"attach {literal(paths.candidate)} as candidate (read_only)")
        write_anew(connection, "candidate", file, _masked)


def _masked(schema: str, table: str, columns: Sequence[Column]) -> list[Column]:
    written = []
    for column in columns:
        written.append(column)
        if column.name == NUMBER:
            written[-1] = replace(column, value=f"left({NUMBER}, 3) || '…' || right({NUMBER}, 2)")
            written.append(replace(column, name=NUMBER_HASH, value=f"keyed_hash({NUMBER})"))
    return written


def _add_build_info(
    connection: duckdb.DuckDBPyConnection, settings: Settings, build: Build, published_at: datetime
) -> None:
    definition = ", ".join(
        f"{column.name} {column.sql_type}{'' if column.nullable else ' not null'}" for column in columns("build_info")
    )
    connection.execute(f"create or replace table publication.{SCHEMA}.build_info ({definition})")
    connection.execute(
        f"insert into publication.{SCHEMA}.build_info by name select $build_id as build_id,"
        " $published_at::timestamp as published_at, $data_until::date as data_until, $version as version,"
        " $settings as settings",
        {
            "build_id": build.build_id,
            "published_at": published_at.replace(tzinfo=None),
            "data_until": build.data_until,
            "version": sendmart_version(),
            "settings": settings.as_json(),
        },
    )


def _add_comments(connection: duckdb.DuckDBPyConnection, *, is_masked: bool) -> None:
    for mart in MARTS:
        table = f"publication.{SCHEMA}.{mart}"
        connection.execute(f"comment on table {table} is {literal(description(mart))}")
        for column in published_columns(mart, is_masked=is_masked):
            connection.execute(f"comment on column {table}.{column.name} is {literal(column.description)}")
